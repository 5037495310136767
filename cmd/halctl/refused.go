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
	"github.com/halberd-io/halberd/service/config"
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
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	switch {
	case p.client == nil:
	case client.IsError(f.err, client.PermissionDenied):
		fmt.Fprint(p.stderr, p.suggestion(ctx, f))
	case client.IsError(f.err, client.RateLimited):
		fmt.Fprint(p.stderr, p.rateAdvice(ctx, f))
	}
}

// suggestion is a grant that would have permitted a call, as small as can be, or "" where there is none.
func (p *program) suggestion(ctx context.Context, f *failure) string {
	m, devices := wanted(f)
	s := proposal{Devices: devices}
	var who caller
	if m == nil || m.Device != "" && devices == nil || policy.IsOpen(m) || p.client.Call(ctx, "io.halberd.Policy.WhoAmI", nil, &who) != nil || !s.identify(who) {
		return ""
	}
	s.call([]*hal.Method{m})
	taken := map[string]bool{}
	_ = p.ownGrants(ctx, func(_ json.RawMessage, g *grant) { // without them it says less
		taken[g.ID] = true
		if g.ID == nearest(f.err) && g.coversDevice(m, f.err) {
			s.Where, s.Rate, s.Burst = withinLimits(m, f.parameters, g.Where), g.Rate, g.Burst
		}
	})
	s.ID = unused(s.ID, taken)
	text := "\nWhoever administers this board may permit it"
	if near := nearest(f.err); near != "" {
		text += fmt.Sprintf(" by widening the grant %q, or", near)
	}
	return text + fmt.Sprintf(" by a file /etc/halberd/policy.d/50-%s.toml with\n\n", fileName(s.ID)) + s.toml("  ") +
		"\nand `halctl reload`. What is there already: `halctl grants`.\n"
}

// coversDevice reports whether the grant is for the device that a refusal names: then the call's parameters are what it does not permit.
func (g *grant) coversDevice(m *hal.Method, err error) bool {
	var in struct{ Device string }
	if refusal, ok := errors.AsType[*client.Error](err); !ok || json.Unmarshal(refusal.Parameters, &in) != nil {
		return false
	}
	if in.Device == "" {
		return len(g.Devices) == 0 || slices.Contains(g.Devices, "*")
	}
	full := config.Naming(m) + "/" + in.Device
	return slices.ContainsFunc(g.Devices, func(pattern string) bool {
		stem, star := strings.CutSuffix(pattern, "*")
		return pattern == in.Device || pattern == full || star && (strings.HasPrefix(in.Device, stem) || strings.HasPrefix(full, stem))
	})
}

// withinLimits are the narrowest limits that a call's parameters are within, of those that a grant limits. What was left out can be in no limit.
func withinLimits(m *hal.Method, parameters any, where []string) map[string]limits {
	raw, err := json.Marshal(parameters)
	if err != nil {
		return nil
	}
	call, err := m.Decode(raw)
	if err != nil {
		return nil
	}
	defer call.Release()
	shown := values{}
	call.Examine(shown)
	all := map[string]limits{}
	for _, words := range where {
		parameter, _, _ := strings.Cut(words, " ")
		if of := shown[parameter]; of != nil {
			all[parameter] = limitsOf(of)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return all
}

// values are those of a call's parameters, by path, each once: int64, bool or string.
type values map[string][]any

// Examine takes one value.
func (v values) Examine(path string, s hal.Scalar) {
	one := any(s.Text)
	switch s.Kind {
	case hal.Int:
		one = s.Int
	case hal.Bool:
		one = s.Bool
	}
	if !slices.Contains(v[path], one) && isText(s.Text) {
		v[path] = append(v[path], one)
	}
}

// rateAdvice says what would have permitted a call that came too often, or "" where it is permitted by now.
func (p *program) rateAdvice(ctx context.Context, f *failure) string {
	var answer struct {
		Allowed bool
		Grant   string
	}
	question := map[string]any{"method": f.method, "parameters": f.parameters}
	if p.client.Call(ctx, "io.halberd.Policy.Check", question, &answer) != nil || answer.Allowed {
		return ""
	}
	text := ""
	_ = p.ownGrants(ctx, func(_ json.RawMessage, g *grant) { // without them there is nothing to say
		if g.ID == answer.Grant && g.Rate != "" && g.Burst > 0 {
			text = fmt.Sprintf("\nThe grant %q permits it %s, and %s at once. Whoever administers this board may permit this call as well by\n\n  burst   = %d\n\n"+
				"there, or more for good by a greater rate, and `halctl reload`.\n", g.ID, oneLine(printable(g.Rate)), counted(g.Burst, "call"), g.Burst+1)
		}
	})
	return text
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
