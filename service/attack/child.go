package attack

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/halberd-io/halberd/service/peer"
	"github.com/halberd-io/halberd/service/servicetest"
)

// roleVariable tells a test binary that it is a child of these tests, and which.
const roleVariable = "HALBERD_ATTACK_ROLE"

// emulatorVariable is the emulator that starts the test binary, where the kernel cannot.
const emulatorVariable = "HALBERD_ATTACK_EMULATOR"

const (
	roleAttacker = "attacker"
	roleVictim   = "victim"
	roleActor    = "actor"
	roleCaller   = "caller"
	roleSender   = "sender"
)

// patience is how long a child may take. Emulated machines are slow, and shared ones too.
const patience = 120 * time.Second

// Child makes this process what it was started as, and does not come back then. TestMain calls it first.
func Child() {
	role := os.Getenv(roleVariable)
	if role == "" {
		return
	}
	os.Unsetenv(roleVariable)
	var o orders
	err := json.Unmarshal([]byte(os.Args[1]), &o)
	if err == nil {
		err = map[string]func(*orders) error{roleAttacker: attack, roleVictim: beVictim, roleActor: act, roleCaller: makeCall, roleSender: leave}[role](&o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// orders are what a child is told.
type orders struct {
	What    string // the attack, or the part of an actor
	Target  string
	Kind    peer.Transport
	Lasts   time.Duration
	Timeout time.Duration

	Read, Watch, Slow, Claim, Denied string
	Change                           [2]string
	Call, Reply                      string // of a victim
	Attacker, Other                  servicetest.As
}

func (t *Target) orders(what string) orders {
	return orders{What: what, Target: t.Name, Lasts: t.Lasts, Timeout: t.Timeout, Read: t.Read, Watch: t.Watch, Slow: t.Slow, Claim: t.Claim, Denied: t.Denied, Change: t.Change,
		Call: t.VictimCall, Reply: t.VictimReply, Attacker: t.Attacker, Other: t.Victim}
}

// command is a child that is not started yet.
func command(t testing.TB, role string, o orders) *exec.Cmd {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	cmd := servicetest.Command(t, string(text))
	cmd.Env = append(os.Environ(), roleVariable+"="+role)
	if len(cmd.Args) > 2 {
		cmd.Env = append(cmd.Env, emulatorVariable+"="+cmd.Args[0])
	}
	return cmd
}

// output runs a child to its end and gives what it printed.
func output(t testing.TB, cmd *exec.Cmd) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	limited := exec.CommandContext(ctx, cmd.Args[0], cmd.Args[1:]...)
	limited.Env, limited.Dir, limited.SysProcAttr, limited.ExtraFiles = cmd.Env, cmd.Dir, cmd.SysProcAttr, cmd.ExtraFiles
	var stderr bytes.Buffer
	limited.Stderr = &stderr
	out, err := limited.Output()
	if err != nil && stderr.Len() > 0 {
		err = fmt.Errorf("%w: %s", err, strings.TrimSpace(stderr.String()))
	}
	return strings.TrimSpace(string(out)), err
}

// attackAs makes one attack as the attacker, and gives what it says of it.
func attackAs(t testing.TB, target Target, name string) string {
	t.Helper()
	cmd := command(t, roleAttacker, target.orders(name))
	target.Attacker.Apply(cmd)
	out, err := output(t, cmd)
	if err != nil {
		t.Errorf("the attacker: %v", err)
	}
	return out
}

// CallAs makes one call as another uid, of a process of its own, and gives the reply.
func CallAs(t testing.TB, as servicetest.As, kind peer.Transport, name, call string) string {
	t.Helper()
	return roleAs(t, as, roleCaller, orders{Target: name, Kind: kind, What: call})
}

// Leave sends messages as the attacker, from a process that ends at once and waits for no answer. It gives what went wrong.
func Leave(t testing.TB, target Target, kind peer.Transport, messages ...string) string {
	t.Helper()
	for _, m := range messages {
		if out := roleAs(t, target.Attacker, roleSender, orders{Target: target.Name, Kind: kind, What: m}); out != "" {
			return out
		}
	}
	return ""
}

func roleAs(t testing.TB, as servicetest.As, role string, o orders) string {
	t.Helper()
	cmd := command(t, role, o)
	as.Apply(cmd)
	out, err := output(t, cmd)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// makeCall and leave are the children.
func makeCall(o *orders) error {
	r, err := servicetest.Dial(o.Kind, o.Target)
	if err != nil {
		return err
	}
	reply, err := r.Call(o.What)
	fmt.Println(reply)
	return err
}

func leave(o *orders) error {
	r, err := servicetest.Dial(o.Kind, o.Target)
	if err != nil {
		return err
	}
	return r.Write(o.What)
}
