package config_test

import (
	"errors"
	"testing"

	"github.com/halberd-io/halberd/service/config"
	"github.com/halberd-io/halberd/service/config/configtest"
	"github.com/halberd-io/halberd/service/policy"
)

// FuzzPolicyFile: reading never panics, an error has its file and line, and what is accepted compiles and never says yes to somebody whom it does not name.
func FuzzPolicyFile(f *testing.F) {
	for _, seed := range []string{
		"", "[[grant]]\nid = \"a\"\nusers = [1000, \"2000-3000\", \"root\"]\nmethods = [\"io.halberd.Led.Set\"]\ndevices = [\"front\", \"panel-*\", \"Led/back\", \"*\"]\n" +
			"where = { brightness = { min = 1, max = 128, in = [1, 2] }, mode.in = [\"once\"] }\nrate = \"50/s\"\nburst = 10\n",
		"[[grant]]\nid = \"b\"\ngroups = [5]\nunits = [\"a.service\"]\nlabels = [\"x\"]\nverbs = [\"observe\", \"administer\"]\ndevices = [\"Gpio/chip/*\"]",
		"grant = [{id=\"c\",users=[0],methods=[\"io.halberd.I2c.*\"],devices=[\"*\"],where={messages={address={in=[80]}}}}]",
		"[[grant]]\n[[grant]]\nid=1\nUsers=[]\nrate=\"/\"\nmethods=[\"*\"]\nwhere={a={b={}}}",
	} {
		f.Add(seed)
	}
	cat := configtest.Catalog()
	opt := config.Options{Root: f.TempDir(), TrustCaller: true}
	set := configtest.Call(cat, "io.halberd.Led.Set", `{"led":"front","brightness":1}`)
	f.Fuzz(func(t *testing.T, text string) {
		files, err := config.ParsePolicy(opt, cat, "f.toml", text)
		if err != nil {
			for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
				var one *config.Error
				if !errors.As(e, &one) || one.File != "f.toml" || one.Line < 1 || one.What == "" {
					t.Errorf("an error without its place: %#v", e)
				}
			}
			return
		}
		p := policy.Compile(files, cat, 1, nil)
		p.Snapshot(policy.Identity{UID: 1000, GID: 5}).Check(set)
		for _, nobody := range []uint32{65534, 1<<32 - 1} {
			if p.Snapshot(policy.Identity{UID: nobody, GID: 5, Unit: "a.service", Label: "x"}).Permit(set) == nil {
				t.Errorf("uid %d is permitted something", nobody)
			}
		}
	})
}
