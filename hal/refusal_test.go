package hal_test

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/halberd-io/halberd/hal"
)

func TestRefusals(t *testing.T) {
	tests := []struct {
		refusal          hal.Refusal
		name, parameters string
		text             string
	}{
		{&hal.InvalidParameter{Parameter: "value", What: "missing"}, "org.varlink.service.InvalidParameter", `{"parameter":"value"}`, "value: missing"},
		{&hal.PermissionDenied{Reason: "no grant"}, "org.varlink.service.PermissionDenied", `{"reason":"no grant"}`, "permission denied: no grant"},
		{&hal.PermissionDenied{Reason: "r", Grant: hal.Some("g"), Device: hal.Some("Led/d")}, "org.varlink.service.PermissionDenied",
			`{"reason":"r","grant":"g","device":"Led/d"}`, "permission denied: r"},
		{&hal.RateLimited{RetryAfterMSec: 20}, "io.halberd.RateLimited", `{"retryAfterMSec":20}`, "too many calls: try again in 20 ms"},
		{hal.MissingDevice("Led", "x"), "io.halberd.NoSuchDevice", `{"class":"Led","device":"x"}`, "no such device: Led/x"},
		{hal.GoneDevice("Led", "x"), "io.halberd.DeviceGone", `{"class":"Led","device":"x"}`, "the device is gone: Led/x"},
		{hal.SlowDevice("Led", "x"), "io.halberd.Timeout", `{"class":"Led","device":"x"}`, "the device did not answer in time: Led/x"},
		{hal.BusyDevice("Led", "x", ""), "io.halberd.Busy", `{"class":"Led","device":"x"}`, "the device is busy: Led/x"},
		{hal.BusyDevice("Led", "x", "uid 7"), "io.halberd.Busy", `{"class":"Led","device":"x","holder":"uid 7"}`, "the device is busy: Led/x"},
		{&hal.NotSupported{Feature: "output"}, "io.halberd.NotSupported", `{"feature":"output"}`, "not supported: output"},
		{&hal.OutOfRange{Parameter: "p", Minimum: -1, Maximum: 255}, "io.halberd.OutOfRange", `{"parameter":"p","minimum":-1,"maximum":255}`,
			"p is out of range: this hardware takes -1 to 255"},
		{&hal.Interlocked{Group: "g", Conflicting: "c"}, "io.halberd.Interlocked", `{"group":"g","conflicting":"c"}`, "interlocked by g: c"},
		{&hal.Interlocked{Group: "g", Conflicting: "c", RetryAfterMSec: hal.Some[int64](0)}, "io.halberd.Interlocked",
			`{"group":"g","conflicting":"c","retryAfterMSec":0}`, "interlocked by g: c"},
		{&hal.LimitExceeded{Limit: "connections", Maximum: 64}, "io.halberd.LimitExceeded", `{"limit":"connections","maximum":64}`, "too many: connections is at most 64"},
		{&hal.MessageTooLarge{Limit: 65536}, "io.halberd.MessageTooLarge", `{"limit":65536}`, "the message is longer than 65536 bytes"},
		{&hal.BadConfiguration{Reason: "a.toml:3: no"}, "io.halberd.BadConfiguration", `{"reason":"a.toml:3: no"}`, "bad configuration: a.toml:3: no"},
		{hal.SystemError(syscall.EIO), "io.systemd.System", `{"origin":"linux","errno":5,"errnoName":"EIO"}`, "system error: input/output error"},
		{hal.SystemError(4000), "io.systemd.System", `{"origin":"linux","errno":4000}`, "system error: errno 4000"},
	}
	for _, test := range tests {
		t.Run(test.name+test.parameters, func(t *testing.T) {
			if got := test.refusal.ErrorName(); got != test.name {
				t.Errorf("ErrorName() = %s, want %s", got, test.name)
			}
			if got := string(hal.Encode(nil, test.refusal)); got != test.parameters {
				t.Errorf("the parameters are %s, want %s", got, test.parameters)
			}
			if got := test.refusal.Error(); got != test.text {
				t.Errorf("Error() = %q, want %q", got, test.text)
			}
		})
	}
}

// Each refusal stands once in the list that the interface texts are printed from, with every field documented.
func TestRefusalsAreListed(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range hal.Refusals() {
		name := r.ErrorName()
		if seen[name] {
			t.Errorf("%s is listed twice", name)
		}
		seen[name] = true
		if !strings.HasPrefix(name, "io.halberd.") && name != "io.systemd.System" {
			t.Errorf("%s is listed, want errors of io.halberd and io.systemd alone", name)
		}
		for _, f := range hal.Describe(r) {
			if f.Doc == "" {
				t.Errorf("%s of %s has no documentation", f.Name, name)
			}
		}
	}
	for _, name := range strings.Fields("RateLimited NoSuchDevice DeviceGone Busy NotSupported OutOfRange Interlocked LimitExceeded Timeout MessageTooLarge") {
		if !seen["io.halberd."+name] {
			t.Errorf("io.halberd.%s is not listed", name)
		}
	}
}

func TestRefuse(t *testing.T) {
	plain := errors.New("no errno in it")
	interlocked := &hal.Interlocked{Group: "g", Conflicting: "c"}
	tests := []struct {
		name string
		err  error
		want error
	}{
		{"nothing", nil, nil},
		{"ENODEV", syscall.ENODEV, hal.GoneDevice("Led", "x")},
		{"ENXIO", syscall.ENXIO, hal.GoneDevice("Led", "x")},
		{"EBUSY", syscall.EBUSY, hal.BusyDevice("Led", "x", "")},
		{"ETIMEDOUT", syscall.ETIMEDOUT, hal.SlowDevice("Led", "x")},
		{"EOPNOTSUPP", syscall.EOPNOTSUPP, &hal.NotSupported{Feature: "x"}},
		{"EIO", syscall.EIO, hal.SystemError(syscall.EIO)},
		{"EACCES", syscall.EACCES, hal.SystemError(syscall.EACCES)},
		{"wrapped", fmt.Errorf("cannot write brightness: %w", syscall.ENODEV), hal.GoneDevice("Led", "x")},
		{"a refusal", interlocked, interlocked},
		{"a wrapped refusal", fmt.Errorf("cannot set: %w", interlocked), interlocked},
		{"neither", plain, plain},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := hal.Refuse("Led", "x", test.err)
			if fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", test.want) && !sameRefusal(got, test.want) {
				t.Errorf("Refuse(%v) = %#v, want %#v", test.err, got, test.want)
			}
		})
	}
}

func sameRefusal(a, b error) bool {
	x, ok := a.(hal.Refusal)
	y, also := b.(hal.Refusal)
	return ok && also && x.ErrorName() == y.ErrorName() && string(hal.Encode(nil, x)) == string(hal.Encode(nil, y))
}
