package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/halberd-io/halberd/service/client"
)

// refused prints why a call failed, and for a denial what to put into a grant.
func (p *program) refused(err error) {
	fmt.Fprintln(p.stderr, "halctl:", printable(err.Error()))
	var f *failure
	if !errors.As(err, &f) || !client.IsError(f.err, "org.varlink.service.PermissionDenied") {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var who struct{ UID int64 }
	if p.client == nil || p.client.Call(ctx, "io.halberd.Policy.WhoAmI", nil, &who) != nil {
		return
	}
	fmt.Fprint(p.stderr, suggestion(who.UID, f))
}

// suggestion is a grant that would have permitted a call, as small as can be.
func suggestion(uid int64, f *failure) string {
	class := f.method
	if parts := strings.Split(f.method, "."); len(parts) > 2 {
		class = strings.ToLower(parts[len(parts)-2])
	}
	text := "\nWhoever administers this board may permit it by a file /etc/halberd/policy.d/50-" + class + ".toml with\n\n" +
		fmt.Sprintf("  [[grant]]\n  id      = \"%s-of-%d\"\n  users   = [%d]\n  methods = [%q]\n", class, uid, uid, f.method)
	if devices := devicesOf(f); len(devices) > 0 {
		text += "  devices = [" + strings.Join(devices, ", ") + "]\n"
	}
	return text + "\nand `halctl reload`. What is there already: `halctl grants`.\n"
}

// devicesOf gives the devices that a call named, quoted.
func devicesOf(f *failure) []string {
	var parameter string
	for _, m := range deviceMethods() {
		if m.FullName() == f.method {
			parameter = m.Device
		}
	}
	raw, err := json.Marshal(f.parameters)
	if err != nil || parameter == "" {
		return nil
	}
	var in map[string]json.RawMessage
	if json.Unmarshal(raw, &in) != nil {
		return nil
	}
	var one string
	var many []string
	if json.Unmarshal(in[parameter], &one) == nil {
		many = []string{one}
	} else if json.Unmarshal(in[parameter], &many) != nil {
		return nil
	}
	for i, d := range many {
		many[i] = fmt.Sprintf("%q", d)
	}
	return many
}
