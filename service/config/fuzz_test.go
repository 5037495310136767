package config_test

import (
	"testing"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/haltest"
	"github.com/halberd-io/halberd/service/config"
	"github.com/halberd-io/halberd/service/config/configtest"
	"github.com/halberd-io/halberd/service/policy"
)

var policyFiles = []string{
	"", "[[grant]]\nid = \"a\"\nusers = [1000, \"2000-3000\", \"root\"]\nmethods = [\"io.halberd.Led.Set\"]\ndevices = [\"front\", \"panel-*\", \"Led/back\", \"*\"]\n" +
		"where = { brightness = { min = 1, max = 128, in = [1, 2] }, mode.in = [\"once\"] }\nrate = \"50/s\"\nburst = 10\n",
	"[[grant]]\nid = \"b\"\ngroups = [5]\nunits = [\"a.service\"]\nlabels = [\"x\"]\nverbs = [\"observe\", \"administer\"]\ndevices = [\"Gpio/chip/*\"]",
	"grant = [{id=\"c\",users=[0],methods=[\"io.halberd.I2c.*\"],devices=[\"*\"],where={messages={address={in=[80]}}}}]",
	"[[grant]]\n[[grant]]\nid=1\nUsers=[]\nrate=\"/\"\nmethods=[\"*\"]\nwhere={a={b={}}}",
}

// checkPolicyFile: reading never panics, an error has its file and line, and what is accepted compiles and never says yes to somebody whom it does not name.
func checkPolicyFile(t *testing.T, opt config.Options, set *hal.Call, text string) {
	t.Helper()
	files, err := config.ParsePolicy(opt, catalog, "f.toml", text)
	if err != nil {
		placed(t, "f.toml", err)
		return
	}
	p := policy.Compile(files, catalog, 1, nil)
	p.Snapshot(policy.Identity{UID: 1000, GID: 5}).Check(set)
	for _, nobody := range []uint32{65534, 1<<32 - 1} {
		if p.Snapshot(policy.Identity{UID: nobody, GID: 5, Unit: "a.service", Label: "x"}).Permit(set) == nil {
			t.Errorf("uid %d is permitted something", nobody)
		}
	}
}

func FuzzPolicyFile(f *testing.F) {
	for _, seed := range policyFiles {
		f.Add(seed)
	}
	_, opt := expected(f)
	set := configtest.Call(catalog, "io.halberd.Led.Set", `{"led":"front","brightness":1}`)
	f.Fuzz(func(t *testing.T, text string) { checkPolicyFile(t, opt, set, text) })
}

func TestRandomPolicyFiles(t *testing.T) {
	_, opt := expected(t)
	set := configtest.Call(catalog, "io.halberd.Led.Set", `{"led":"front","brightness":1}`)
	for text := range haltest.Inputs(2000, policyFiles...) {
		checkPolicyFile(t, opt, set, text)
	}
}
