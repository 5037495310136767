package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/board"
	"github.com/halberd-io/halberd/service"
	"github.com/halberd-io/halberd/service/client"
	"github.com/halberd-io/halberd/service/policy"
)

// refused prints why a call failed, and for a denial what to put into a grant.
func (p *program) refused(err error) {
	fmt.Fprintln(p.stderr, "halctl:", printable(err.Error()))
	var f *failure
	if !errors.As(err, &f) {
		return
	}
	if text := hint(f); text != "" {
		fmt.Fprintln(p.stderr, wrap(text, 0, 0))
	}
	if !client.IsError(f.err, client.PermissionDenied) {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var who caller
	if p.client == nil || p.client.Call(ctx, "io.halberd.Policy.WhoAmI", nil, &who) != nil {
		return
	}
	fmt.Fprint(p.stderr, suggestion(who, f))
}

// suggestion is a grant that would have permitted a call, as small as can be, or "" where there is none.
func suggestion(who caller, f *failure) string {
	m, devices := wanted(f)
	p := proposal{Devices: devices}
	if m == nil || !p.identify(who) || m.Device != "" && devices == nil || policy.IsOpen(m) {
		return ""
	}
	p.call([]*hal.Method{m})
	text := "\nWhoever administers this board may permit it"
	if near := nearest(f.err); near != "" {
		text += fmt.Sprintf(" by widening the grant %q, or", near)
	}
	return text + fmt.Sprintf(" by a file /etc/halberd/policy.d/50-%s.toml with\n\n", fileName(p.ID)) + p.toml("  ") +
		"\nand `halctl reload`. What is there already: `halctl grants`.\n"
}

// nearest is the caller's grant that came nearest, or "".
func nearest(err error) string {
	var refusal *client.Error
	if errors.As(err, &refusal) {
		return refusal.Grant()
	}
	return ""
}

// fileName makes a file's name of a grant's ID.
func fileName(id string) string {
	return strings.Map(func(c rune) rune {
		if strings.ContainsRune("/\\$;&|<>()", c) {
			return '-'
		}
		return c
	}, id)
}

// wanted gives the method of a call and the devices that it named: none where one of them cannot be a device.
func wanted(f *failure) (*hal.Method, []string) {
	cat, err := service.Describe(board.Drivers())
	if err != nil {
		return nil, nil
	}
	m := cat.Method([]byte(f.method))
	raw, err := json.Marshal(f.parameters)
	if m == nil || err != nil {
		return m, nil
	}
	var in map[string]json.RawMessage
	if json.Unmarshal(raw, &in) != nil {
		return m, nil
	}
	devices := named(in[m.Device])
	if len(devices) == 0 || slices.ContainsFunc(devices, func(id string) bool { return hal.CheckID(id) != nil }) {
		return m, nil
	}
	return m, devices
}

// named gives the devices that a parameter names: one, several, or the keys of a map.
func named(parameter json.RawMessage) (ids []string) {
	var one string
	var values map[string]json.RawMessage
	switch {
	case json.Unmarshal(parameter, &one) == nil:
		return []string{one}
	case json.Unmarshal(parameter, &values) == nil:
		return slices.Sorted(maps.Keys(values))
	case json.Unmarshal(parameter, &ids) == nil:
		return ids
	}
	return nil
}
