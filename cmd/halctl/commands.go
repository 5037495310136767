package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/halberd-io/halberd/service/client"
)

// command is one command that is not a class.
type command struct {
	name, usage, doc string
	run              func(*program, context.Context, []string) error
}

func commands() []command {
	return []command{
		{"list", "[CLASS]", "list the devices that you have a grant for", (*program).list},
		{"describe", "CLASS/DEVICE", "describe a device", (*program).describe},
		{"info", "[INTERFACE]", "say what the daemon is, or print an interface", (*program).info},
		{"call", "[--more] METHOD [JSON]", "call any method", (*program).call},
		{"watch", "", "show what devices come and go", (*program).watch},
		{"whoami", "", "say who you are to the daemon", plainCall("io.halberd.Policy.WhoAmI")},
		{"check", "CALL", "ask whether you may make a call", (*program).check},
		{"explain", "--user NAME CALL", "say which grant permits a call of anybody, or came nearest", (*program).explain},
		{"grants", "", "list your grants", (*program).grants},
		{"audit", "", "show what is denied, and what is permitted that matters, as it is decided", (*program).audit},
		{"suggest", "[--for DURATION | FILE...]", "print the grants that would have permitted what is denied from now on; or in records: journalctl -o json -u halberd | halctl suggest -", (*program).suggest},
		{"policy", "test [-config DIR] [-root DIR] FILE...", "try what files of [[expect]] tables expect of the policy; no daemon is needed (halberd check -keys lists what they may have)", (*program).policy},
		{"status", "", "say what policy is in force", plainCall("io.halberd.Policy.Status")},
		{"reload", "", "have the policy read anew", plainCall("io.halberd.Policy.Reload")},
		{"safe", "", "bring all outputs that have a safe value to it, and say how many those are", plainCall("io.halberd.Board.Safe")},
		{"claim", "CLASS/DEVICE...", "have devices for yourself until the program ends", (*program).claim},
		{"holders", "", "list who has which device for itself", (*program).holders},
		{"release", "CLASS/DEVICE...", "end anybody's claim on a device", (*program).release},
		{"completion", "bash|zsh|fish", "print what a shell needs to complete commands", (*program).completion},
	}
}

// plainCall makes a command of a method without parameters.
func plainCall(method string) func(*program, context.Context, []string) error {
	return func(p *program, ctx context.Context, args []string) error {
		if len(args) > 0 {
			return &usageError{strings.ToLower(method[strings.LastIndexByte(method, '.')+1:])}
		}
		return p.callAndPrint(ctx, method, struct{}{})
	}
}

// invoke calls a method and gives its reply.
func (p *program) invoke(ctx context.Context, method string, parameters any) (json.RawMessage, error) {
	c, err := p.connect(ctx)
	if err != nil {
		return nil, err
	}
	var reply json.RawMessage
	if err := c.Call(ctx, method, parameters, &reply); err != nil {
		return nil, &failure{method, parameters, err}
	}
	return reply, nil
}

func (p *program) callAndPrint(ctx context.Context, method string, parameters any) error {
	reply, err := p.invoke(ctx, method, parameters)
	if err != nil {
		return err
	}
	return p.print(reply)
}

// failure is a call that was refused, and what was asked for.
type failure struct {
	method     string
	parameters any
	err        error
}

// Error names the method. What is no refusal names it itself.
func (e *failure) Error() string {
	if _, refused := errors.AsType[*client.Error](e.err); refused {
		return e.method + ": " + e.err.Error()
	}
	return e.err.Error()
}

func (e *failure) Unwrap() error { return e.err }

func (p *program) list(ctx context.Context, args []string) error {
	if len(args) > 1 {
		return &usageError{"list [CLASS]"}
	}
	in := map[string]any{}
	if len(args) == 1 {
		in["class"] = className(args[0])
	}
	var all []listed
	for {
		reply, err := p.invoke(ctx, "io.halberd.Board.List", in)
		if err != nil {
			return err
		}
		var page struct {
			Devices []listed
			Next    string
		}
		if err := json.Unmarshal(reply, &page); err != nil {
			return err
		}
		all = append(all, page.Devices...)
		if page.Next == "" {
			break
		}
		in["after"] = page.Next
	}
	if class, given := in["class"].(string); given && len(all) == 0 {
		if err := p.expectClass(ctx, class); err != nil {
			return err
		}
	}
	return p.printList(all)
}

// expectClass makes sure that a class of which nothing is listed is one: of this halctl's, or of a daemon's that knows others.
func (p *program) expectClass(ctx context.Context, class string) error {
	known := deviceClasses()
	if slices.Contains(known, strings.ToLower(class)) {
		return nil
	}
	reply, err := p.invoke(ctx, "org.varlink.service.GetInfo", struct{}{})
	if err != nil {
		return err
	}
	var info struct{ Interfaces []string }
	if err := json.Unmarshal(reply, &info); err != nil {
		return err
	}
	if own := strings.EqualFold(class, "Board") || strings.EqualFold(class, "Policy"); !own && slices.Contains(info.Interfaces, "io.halberd."+class) {
		return nil
	}
	return &usageError{fmt.Sprintf("list [CLASS]: there is no class %q of devices; there are %s", class, strings.Join(known, ", "))}
}

// listed is one device of a list.
type listed struct {
	Class  string `json:"class"`
	ID     string `json:"id"`
	Holder string `json:"holder,omitempty"`
}

// printList shows who has a device only where somebody has one.
func (p *program) printList(all []listed) error {
	heading := []string{"CLASS", "DEVICE"}
	if slices.ContainsFunc(all, func(d listed) bool { return d.Holder != "" }) {
		heading = append(heading, "HOLDER")
	}
	t := p.table(heading...)
	for _, d := range all {
		cells := []string{d.Class, d.ID}
		if d.Holder != "" {
			cells = append(cells, d.Holder)
		}
		t.row(d, cells...)
	}
	return t.flush()
}

func (p *program) describe(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return &usageError{"describe CLASS/DEVICE"}
	}
	class, id, ok := strings.Cut(args[0], "/")
	if class = className(class); !ok || id == "" || !isClass(class) {
		return &usageError{fmt.Sprintf("describe CLASS/DEVICE: %q does not begin with a class, as Gpio/relay-pump does; halctl list shows both", args[0])}
	}
	return p.callAndPrint(ctx, "io.halberd.Board.Describe", map[string]any{"device": class + "/" + id})
}

// isClass reports whether a word may be a class, if not one that this halctl knows.
func isClass(word string) bool { return word != "" && unicode.IsUpper(rune(word[0])) }

// watch shows what happens to devices, until it is interrupted.
func (p *program) watch(ctx context.Context, args []string) error {
	if len(args) > 0 {
		return &usageError{"watch"}
	}
	e := p.events()
	e.hide = "class" // the device is Class/ID
	return p.follow(ctx, "io.halberd.Board.Events", struct{}{}, e.print)
}

func (p *program) info(ctx context.Context, args []string) error {
	switch len(args) {
	case 0:
		return p.callAndPrint(ctx, "org.varlink.service.GetInfo", struct{}{})
	case 1:
		reply, err := p.invoke(ctx, "org.varlink.service.GetInterfaceDescription", map[string]any{"interface": args[0]})
		if err != nil || p.json {
			return errorOr(err, func() error { return p.print(reply) })
		}
		var text struct{ Description string }
		if err := json.Unmarshal(reply, &text); err != nil {
			return err
		}
		_, err = fmt.Fprint(p.stdout, printable(text.Description))
		return err
	}
	return &usageError{"info [INTERFACE]"}
}

func errorOr(err error, f func() error) error {
	if err != nil {
		return err
	}
	return f()
}

func (p *program) call(ctx context.Context, args []string) error {
	more := len(args) > 0 && args[0] == "--more"
	if more {
		args = args[1:]
	}
	if len(args) < 1 || len(args) > 2 {
		return &usageError{"call [--more] METHOD [JSON]"}
	}
	parameters, err := jsonArgument(args[1:])
	if err != nil {
		return err
	}
	if more {
		return p.follow(ctx, args[0], parameters, p.printJSON)
	}
	reply, err := p.invoke(ctx, args[0], parameters)
	if err != nil {
		return err
	}
	return p.printJSON(reply)
}

// jsonArgument gives the parameters of a call, {} without an argument.
func jsonArgument(args []string) (json.RawMessage, error) {
	if len(args) == 0 {
		return json.RawMessage("{}"), nil
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal([]byte(args[0]), &object); err != nil {
		return nil, &usageError{fmt.Sprintf("call METHOD JSON: %q is not a JSON object", args[0])}
	}
	return json.RawMessage(args[0]), nil
}

// question reads a call that is only asked about: METHOD [JSON], or as it would be typed: gpio set relay-pump 1.
func question(args []string) (map[string]any, error) {
	if len(args) == 0 || strings.Contains(args[0], ".") && len(args) > 2 {
		return nil, &usageError{"check METHOD [JSON], or check gpio set LINE VALUE"}
	}
	if !strings.Contains(args[0], ".") {
		m, rest, err := findMethod(args)
		if err != nil {
			return nil, err
		}
		q := map[string]any{"method": m.FullName()}
		if len(rest) > 0 {
			parameters, err := parametersOf(m, rest)
			q["parameters"] = parameters
			return q, err
		}
		return q, nil
	}
	q := map[string]any{"method": args[0]}
	if len(args) == 1 {
		return q, nil
	}
	parameters, err := jsonArgument(args[1:])
	q["parameters"] = parameters
	return q, err
}

func (p *program) check(ctx context.Context, args []string) error {
	q, err := question(args)
	if err != nil {
		return err
	}
	return p.ask(ctx, "io.halberd.Policy.Check", q)
}

// ask prints an answer and fails where it is no.
func (p *program) ask(ctx context.Context, method string, q map[string]any) error {
	reply, err := p.invoke(ctx, method, q)
	if err != nil {
		return err
	}
	var answer struct{ Allowed bool }
	if err := json.Unmarshal(reply, &answer); err != nil {
		return err
	}
	if err := p.print(reply); err != nil {
		return err
	}
	if !answer.Allowed {
		return errNo
	}
	return nil
}

const explainUsage = "explain (--user NAME | --uid N) [--gid N] [--groups GROUP,GROUP] [--unit UNIT] [--label LABEL] CALL"

func (p *program) explain(ctx context.Context, args []string) error {
	who := map[string]any{}
	for len(args) >= 2 && strings.HasPrefix(args[0], "--") {
		if err := supposed(who, args[0], args[1]); err != nil {
			return err
		}
		args = args[2:]
	}
	if _, known := who["uid"]; !known {
		return &usageError{explainUsage}
	}
	q, err := question(args)
	if err != nil {
		return err
	}
	for key, value := range q {
		who[key] = value
	}
	return p.ask(ctx, "io.halberd.Policy.Explain", who)
}

// supposed reads one part of an identity.
func supposed(who map[string]any, option, value string) error {
	switch option {
	case "--user":
		return userNamed(who, value)
	case "--unit", "--label":
		who[option[2:]] = value
		return nil
	case "--uid", "--gid":
		n, err := strconv.ParseUint(value, 10, 32)
		if err != nil {
			return &usageError{explainUsage + ": " + value + " is not a number"}
		}
		who[option[2:]] = n
		return nil
	case "--groups":
		groups, err := groupIDs(strings.Split(value, ","))
		who["groups"] = groups
		return err
	}
	return &usageError{explainUsage}
}

// userNamed takes the ids of a user of this machine.
func userNamed(who map[string]any, name string) error {
	u, err := user.Lookup(name)
	if err != nil {
		return err
	}
	groups, err := u.GroupIds()
	if err != nil {
		return err
	}
	ids, err := numbers(append([]string{u.Uid, u.Gid}, groups...))
	if err != nil {
		return err
	}
	who["uid"], who["gid"], who["groups"] = ids[0], ids[1], ids[2:]
	return nil
}

// groupIDs takes numbers of groups as they are, and the numbers of those groups of this machine that are named.
func groupIDs(words []string) ([]uint64, error) {
	for i, w := range words {
		if _, err := strconv.ParseUint(strings.TrimSpace(w), 10, 32); err == nil {
			continue
		}
		g, err := user.LookupGroup(strings.TrimSpace(w))
		if err != nil {
			return nil, err
		}
		words[i] = g.Gid
	}
	return numbers(words)
}

func numbers(words []string) ([]uint64, error) {
	out := make([]uint64, 0, len(words))
	for _, w := range words {
		n, err := strconv.ParseUint(strings.TrimSpace(w), 10, 32)
		if err != nil {
			return nil, &usageError{explainUsage + ": " + w + " is not a number"}
		}
		out = append(out, n)
	}
	return out, nil
}

func (p *program) grants(ctx context.Context, args []string) error {
	if len(args) > 0 {
		return &usageError{"grants"}
	}
	t := p.table("ID", "METHODS", "VERBS", "DEVICES", "WHERE", "RATE")
	err := p.ownGrants(ctx, func(raw json.RawMessage, g *grant) {
		t.row(raw, g.ID, strings.Join(g.Methods, " "), strings.Join(g.Verbs, " "), strings.Join(g.Devices, " "), strings.Join(g.Where, ", "), g.Rate)
	})
	return errorOr(err, t.flush)
}

// grant is one of the caller's own grants.
type grant struct {
	ID, Rate                       string
	Burst                          int64
	Methods, Verbs, Devices, Where []string
}

// ownGrants gives all that the caller has to each.
func (p *program) ownGrants(ctx context.Context, each func(json.RawMessage, *grant)) error {
	in := map[string]any{}
	for {
		reply, err := p.invoke(ctx, "io.halberd.Policy.Grants", in)
		if err != nil {
			return err
		}
		var page struct {
			Grants []json.RawMessage
			Next   string
		}
		if err := json.Unmarshal(reply, &page); err != nil {
			return err
		}
		for _, raw := range page.Grants {
			var g grant
			if err := json.Unmarshal(raw, &g); err != nil {
				return err
			}
			each(raw, &g)
		}
		if page.Next == "" {
			return nil
		}
		in["after"] = page.Next
	}
}

// follow calls a method for a watch and gives each event to show. A watch that is interrupted is done.
func (p *program) follow(ctx context.Context, method string, parameters any, show func(json.RawMessage) error) error {
	c, err := p.connect(ctx)
	if err != nil {
		return err
	}
	if err := c.More(ctx, method, parameters, show); err != nil && ctx.Err() == nil {
		return &failure{method, parameters, err}
	}
	return nil
}
