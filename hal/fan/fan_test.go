package fan

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/hal/sim/simtest"
)

const (
	hwmon   = "/sys/class/hwmon/"
	thermal = "/sys/class/thermal/"
)

// pwm is what a hwmon device has for a fan: pwmN and pwmN_enable.
func pwm(t *testing.T, k *sim.Kernel, output string) string {
	t.Helper()
	return simtest.Cat(t, k, hwmon+output) + " " + simtest.Cat(t, k, hwmon+output+"_enable")
}

func TestCalls(t *testing.T) {
	for _, c := range []struct{ name, fan, method, in, want, get string }{
		{"as it is, automatic", "nct6775/pwm1", "Get", ``, `{"permille":400,"mode":"auto","rpm":1020}`, `{"permille":400,"mode":"auto","rpm":1020}`},
		{"as it is, by hand", "gpio_fan/pwm1", "Get", ``, `{"permille":0,"mode":"manual","rpm":0}`, `{"permille":0,"mode":"manual","rpm":0}`},
		{"as it is, without modes", "aspeed_pwm_tacho/pwm1", "Get", ``, `{"permille":0,"rpm":0}`, `{"permille":0,"rpm":0}`},
		{"as it is, without a count", "pwmfan/pwm1", "Get", ``, `{"permille":0}`, `{"permille":0}`},
		{"ends the automatic mode", "nct6775/pwm1", "Set", `,"permille":600`, `{}`, `{"permille":600,"mode":"manual","rpm":1530}`},
		{"a little is a step", "nct6775/pwm1", "Set", `,"permille":1`, `{}`, `{"permille":4,"mode":"manual","rpm":10}`},
		{"stands still", "nct6775/pwm1", "Set", `,"permille":0`, `{}`, `{"permille":0,"mode":"manual","rpm":0}`},
		{"a step of the hardware", "gpio_fan/pwm1", "Set", `,"permille":500`, `{}`, `{"permille":667,"mode":"manual","rpm":3000}`},
		{"without modes", "aspeed_pwm_tacho/pwm1", "Set", `,"permille":1000`, `{}`, `{"permille":1000,"rpm":255}`},
		{"a cooling device", "Fan", "Set", `,"permille":333`, `{}`, `{"permille":300}`},
		{"too much", "Fan", "Set", `,"permille":1001`, `InvalidParameter{"parameter":"permille"}`, `{"permille":0}`},
		{"by hand from its speed on", "nct6775/pwm1", "SetMode", `,"mode":"manual"`, `{}`, `{"permille":400,"mode":"manual","rpm":1020}`},
		{"automatic already", "nct6775/pwm1", "SetMode", `,"mode":"auto"`, `{}`, `{"permille":400,"mode":"auto","rpm":1020}`},
		{"no automatic mode", "gpio_fan/pwm1", "SetMode", `,"mode":"auto"`, `NotSupported{"feature":"auto"}`, `{"permille":0,"mode":"manual","rpm":0}`},
		{"no modes", "aspeed_pwm_tacho/pwm1", "SetMode", `,"mode":"manual"`, `NotSupported{"feature":"mode"}`, `{"permille":0,"rpm":0}`},
		{"no modes of pwm-fan", "pwmfan/pwm1", "SetMode", `,"mode":"auto"`, `NotSupported{"feature":"mode"}`, `{"permille":0}`},
		{"no modes of a cooling device", "Fan", "SetMode", `,"mode":"auto"`, `NotSupported{"feature":"mode"}`, `{"permille":0}`},
		{"full is nothing to choose", "nct6775/pwm1", "SetMode", `,"mode":"full"`, `InvalidParameter{"parameter":"mode"}`, `{"permille":400,"mode":"auto","rpm":1020}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := simtest.Open(t, Driver(), bench(), false)
			b.Expect(c.method, `{"fan":"`+c.fan+`"`+c.in+`}`, c.want)
			b.Expect("Get", `{"fan":"`+c.fan+`"}`, c.get)
		})
	}
}

// TestBackToAuto: the automatic mode that a fan goes back to is the one that it was in.
func TestBackToAuto(t *testing.T) {
	for _, c := range []struct{ name, keys, before, call, after string }{
		{"as Set found it", ``, "3", `{"fan":"x","permille":100}`, "102 3"},
		{"as board.toml has it", `,"auto":5`, "3", `{"fan":"x","permille":100}`, "102 5"},
		{"never seen", ``, "1", `{"fan":"x","permille":100}`, "102 2"},
		{"after full speed", ``, "0", `{"fan":"x","permille":100}`, "102 2"},
	} {
		k := bench()
		simtest.Echo(t, k, hwmon+"hwmon0/pwm2_enable", c.before)
		b := simtest.Open(t, Driver(), k, false, simtest.Entry{Table: "fan", ID: "x", Keys: `{"hwmon":"nct6775","channel":"pwm2"` + c.keys + `}`})
		b.Expect("Set", c.call, `{}`)
		if got, want := pwm(t, k, "hwmon0/pwm2"), "26 1"; got != want {
			t.Errorf("%s: by hand: got %s, want %s", c.name, got, want)
		}
		b.Expect("SetMode", `{"fan":"x","mode":"auto"}`, `{}`)
		if got := pwm(t, k, "hwmon0/pwm2"); got != c.after {
			t.Errorf("%s: got %s, want %s", c.name, got, c.after)
		}
	}
}

// TestFull: a fan that nobody drives runs at full speed, until somebody does.
func TestFull(t *testing.T) {
	k := bench()
	b := simtest.Open(t, Driver(), k, false)
	for _, id := range []string{"nct6775/pwm1", "gpio_fan/pwm1"} {
		device := map[string]string{"nct6775/pwm1": "hwmon0", "gpio_fan/pwm1": "hwmon1"}[id]
		simtest.Echo(t, k, hwmon+device+"/pwm1_enable", "0")
		if got := b.Call("Get", `{"fan":"`+id+`"}`); !strings.HasPrefix(got, `{"permille":1000,"mode":"full",`) {
			t.Errorf("%s: got %s", id, got)
		}
		b.Expect("Set", `{"fan":"`+id+`","permille":0}`, `{}`)
		if got := pwm(t, k, device+"/pwm1"); got != "0 1" {
			t.Errorf("%s: got %s, want 0 1", id, got)
		}
	}
}

// TestSupply: a fan of pwm-fan that was switched off gets its supply when it is to turn, and not when it is to stand.
func TestSupply(t *testing.T) {
	k := bench()
	b := simtest.Open(t, Driver(), k, false)
	for _, c := range []struct{ name, enable, permille, want string }{
		{"stands", "0", "0", "0 0"},
		{"turns", "0", "500", "128 1"},
		{"kept as it was", "3", "500", "128 3"},
		{"stands as it was", "2", "0", "0 2"},
	} {
		simtest.Echo(t, k, hwmon+"hwmon2/pwm1_enable", c.enable)
		b.Expect("Set", `{"fan":"pwmfan/pwm1","permille":`+c.permille+`}`, `{}`)
		if got := pwm(t, k, "hwmon2/pwm1"); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

// refusing is a kernel that does not take a speed.
type refusing struct {
	*sim.Kernel
	text string
	err  error
}

func (r *refusing) Pwrite(fd int, p []byte, offset int64) (int, error) {
	if string(p) == r.text {
		return 0, r.err
	}
	return r.Kernel.Pwrite(fd, p, offset)
}

// TestHalfWay: a fan whose speed cannot be set goes back to the mode that it was in.
func TestHalfWay(t *testing.T) {
	for _, c := range []struct{ name, enable, left string }{
		{"automatic", "5", "102 5"},
		{"full speed", "0", "255 0"},
		{"by hand", "1", "0 1"},
	} {
		k := bench()
		simtest.Echo(t, k, hwmon+"hwmon0/pwm1_enable", c.enable)
		b := simtest.Open(t, Driver(), &refusing{k, "51", unix.ETIMEDOUT}, false)
		b.Expect("Set", `{"fan":"nct6775/pwm1","permille":200}`, `Timeout{"class":"Fan","device":"nct6775/pwm1"}`)
		if got := pwm(t, k, "hwmon0/pwm1"); got != c.left {
			t.Errorf("%s: got %s, want %s", c.name, got, c.left)
		}
		if n := len(b.Class.Safe()); n != 0 {
			t.Errorf("%s: %d fans are to be brought to a safe state", c.name, n)
		}
	}
}

// fixed is a kernel whose fans can only be looked at.
type fixed struct{ *sim.Kernel }

func (f fixed) Open(path string, flags int) (int, error) {
	if strings.Contains(path, "/pwm") && flags&unix.O_ACCMODE != unix.O_RDONLY {
		return -1, unix.EACCES
	}
	return f.Kernel.Open(path, flags)
}

func TestFixed(t *testing.T) {
	b := simtest.Open(t, Driver(), fixed{bench()}, false)
	b.Expect("Get", `{"fan":"nct6775/pwm1"}`, `{"permille":400,"rpm":1020}`)
	b.Expect("Set", `{"fan":"nct6775/pwm1","permille":1}`, `NotSupported{"feature":"speed"}`)
	b.Expect("SetMode", `{"fan":"nct6775/pwm1","mode":"manual"}`, `NotSupported{"feature":"mode"}`)
}

// dark is a kernel whose fans have a mode, and a speed that can only be looked at.
type dark struct{ *sim.Kernel }

func (f dark) Open(path string, flags int) (int, error) {
	if strings.HasSuffix(path, "/pwm1") && flags&unix.O_ACCMODE != unix.O_RDONLY {
		return -1, unix.EACCES
	}
	return f.Kernel.Open(path, flags)
}

// TestSafeEndsWhatWasTaken: Safe begins again the mode that Halberd ended, whether the speed can be set or not, and also where somebody else had the fan run at full speed meanwhile.
func TestSafeEndsWhatWasTaken(t *testing.T) {
	bringSafe := func(t *testing.T, k *sim.Kernel, b *simtest.Bench) {
		t.Helper()
		for _, o := range b.Class.Safe() {
			if err := o.Bring(); err != nil {
				t.Error(err)
			}
		}
		if got := pwm(t, k, "hwmon0/pwm1"); got != "102 5" {
			t.Errorf("got %s, want 102 5", got)
		}
	}
	t.Run("a fixed speed", func(t *testing.T) {
		k := bench()
		b := simtest.Open(t, Driver(), dark{k}, false)
		b.Expect("SetMode", `{"fan":"nct6775/pwm1","mode":"manual"}`, `{}`)
		bringSafe(t, k, b)
	})
	t.Run("full speed meanwhile", func(t *testing.T) {
		k := bench()
		b := simtest.Open(t, Driver(), k, false)
		b.Expect("Set", `{"fan":"nct6775/pwm1","permille":0}`, `{}`)
		simtest.Echo(t, k, hwmon+"hwmon0/pwm1_enable", "0")
		b.Expect("Set", `{"fan":"nct6775/pwm1","permille":0}`, `{}`)
		bringSafe(t, k, b)
	})
}

func TestStart(t *testing.T) {
	for _, c := range []struct {
		name, keys string
		first      bool
		want       string
	}{
		{"left alone", ``, true, "102 5"},
		{"initial", `,"initial":200,"safe":1000`, true, "51 1"},
		{"safe at a restart", `,"initial":200,"safe":1000`, false, "255 1"},
		{"safe", `,"safe":0`, true, "0 1"},
		{"initial is not for a restart", `,"initial":200`, false, "102 5"},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := bench()
			b := simtest.Open(t, Driver(), k, c.first, simtest.Entry{Table: "fan", ID: "case", Keys: `{"hwmon":"nct6775","channel":"pwm1"` + c.keys + `}`})
			if got := pwm(t, k, "hwmon0/pwm1"); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			if s := b.Log.String(); s != "" {
				t.Errorf("it says %s", s)
			}
		})
	}
}

// TestSafe: which fans are brought where. A fan of which Halberd ended the automatic mode goes back to that, without anything in board.toml.
func TestSafe(t *testing.T) {
	for _, c := range []struct {
		name    string
		entries []simtest.Entry
		calls   [][2]string
		want    string
	}{
		{"nothing was done", nil, nil, ""},
		{"taken", nil, [][2]string{{"Set", `{"fan":"nct6775/pwm2","permille":1}`}}, "nct6775/pwm2 1000: 102 5"},
		{"taken and given back", nil, [][2]string{{"Set", `{"fan":"nct6775/pwm2","permille":1}`}, {"SetMode", `{"fan":"nct6775/pwm2","mode":"auto"}`}}, ""},
		{"taken by SetMode", nil, [][2]string{{"SetMode", `{"fan":"nct6775/pwm2","mode":"manual"}`}}, "nct6775/pwm2 1000: 102 5"},
		{"declared", []simtest.Entry{{Table: "fan", ID: "x", Keys: `{"hwmon":"nct6775","channel":"pwm2"}`}}, nil, "x 1000: 102 5"},
		{"a safe speed", []simtest.Entry{{Table: "fan", ID: "x", Keys: `{"hwmon":"nct6775","channel":"pwm2","safe":800}`}}, [][2]string{{"SetMode", `{"fan":"x","mode":"auto"}`}}, "x 800: 204 1"},
		{"declared without an automatic mode", []simtest.Entry{{Table: "fan", ID: "x", Keys: `{"hwmon":"gpio_fan"}`}}, [][2]string{{"Set", `{"fan":"x","permille":1}`}}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := bench()
			b := simtest.Open(t, Driver(), k, false, c.entries...)
			for _, call := range c.calls {
				b.Expect(call[0], call[1], `{}`)
			}
			got := ""
			for _, o := range b.Class.Safe() {
				if err := o.Bring(); err != nil {
					t.Error(err)
				}
				got += o.Device.ID() + " " + strconv.FormatInt(o.Value, 10) + ": " + pwm(t, k, "hwmon0/pwm2")
			}
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// TestClaim: what becomes of a fan when whoever claimed it lets it go, having stopped it meanwhile.
func TestClaim(t *testing.T) {
	for _, c := range []struct{ name, id, keys, before, want string }{
		{"not declared", "nct6775/pwm1", ``, "5", "102 5"},
		{"not declared, by hand already", "nct6775/pwm1", ``, "1", "0 1"},
		{"declared", "x", `{"hwmon":"nct6775","channel":"pwm1"}`, "3", "102 3"},
		{"declared, by hand already", "x", `{"hwmon":"nct6775","channel":"pwm1","auto":3}`, "1", "102 3"},
		{"a safe speed", "x", `{"hwmon":"nct6775","channel":"pwm1","safe":800}`, "5", "204 1"},
		{"hold", "x", `{"hwmon":"nct6775","channel":"pwm1","on-release":"hold"}`, "5", "0 1"},
		{"restore, automatic", "x", `{"hwmon":"nct6775","channel":"pwm1","on-release":"restore"}`, "5", "102 5"},
		{"restore, by hand", "x", `{"hwmon":"nct6775","channel":"pwm1","on-release":"restore"}`, "1", "77 1"},
		{"restore, full", "x", `{"hwmon":"nct6775","channel":"pwm1","on-release":"restore"}`, "0", "255 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := bench()
			var entries []simtest.Entry
			if c.keys != "" {
				entries = append(entries, simtest.Entry{Table: "fan", ID: "x", Keys: c.keys})
			}
			simtest.Echo(t, k, hwmon+"hwmon0/pwm1_enable", "1")
			simtest.Echo(t, k, hwmon+"hwmon0/pwm1", "77")
			simtest.Echo(t, k, hwmon+"hwmon0/pwm1_enable", c.before)
			b := simtest.Open(t, Driver(), k, true, entries...)
			d, _ := b.Class.Devices.(*hal.Set[*Fan]).Find([]byte(c.id))
			release, err := d.Claim()
			if err != nil {
				t.Fatal(err)
			}
			b.Expect("Set", `{"fan":"`+c.id+`","permille":0}`, `{}`)
			if release != nil {
				if err := release(); err != nil {
					t.Error(err)
				}
			}
			if got := pwm(t, k, "hwmon0/pwm1"); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// uncounted is a kernel whose tachometers fail, as some do while the fan stands still.
type uncounted struct {
	*sim.Kernel
	tachos map[int]bool // descriptors
}

func (k uncounted) Open(path string, flags int) (int, error) {
	fd, err := k.Kernel.Open(path, flags)
	k.tachos[fd] = strings.HasSuffix(path, "_input")
	return fd, err
}

func (k uncounted) Pread(fd int, p []byte, offset int64) (int, error) {
	if k.tachos[fd] {
		return 0, unix.ETIMEDOUT
	}
	return k.Kernel.Pread(fd, p, offset)
}

// TestClaimUncounted: a fan can be claimed, and restored, whose revolutions cannot be counted just now.
func TestClaimUncounted(t *testing.T) {
	k := bench()
	b := simtest.Open(t, Driver(), uncounted{k, map[int]bool{}}, false, simtest.Entry{Table: "fan", ID: "x", Keys: `{"hwmon":"nct6775","channel":"pwm1","on-release":"restore"}`})
	d, _ := b.Class.Devices.(*hal.Set[*Fan]).Find([]byte("x"))
	release, err := d.Claim()
	if err != nil {
		t.Fatal(err)
	}
	b.Expect("Set", `{"fan":"x","permille":0}`, `{}`)
	if err := release(); err != nil {
		t.Error(err)
	}
	if got := pwm(t, k, "hwmon0/pwm1"); got != "102 5" {
		t.Errorf("got %s, want 102 5", got)
	}
}

// TestClaimWithoutModes: such a fan is left as it is.
func TestClaimWithoutModes(t *testing.T) {
	b := simtest.Open(t, Driver(), bench(), false)
	for _, id := range []string{"gpio_fan/pwm1", "pwmfan/pwm1", "aspeed_pwm_tacho/pwm1", "Fan"} {
		d, _ := b.Class.Devices.(*hal.Set[*Fan]).Find([]byte(id))
		if release, err := d.Claim(); release != nil || err != nil {
			t.Errorf("%s: got a release: %t, %v", id, release != nil, err)
		}
	}
}

// memory is a hal.State.
type memory map[string][]byte

func (m memory) Load(name string) ([]byte, error) { return m[name], nil }

func (m memory) Save(name string, data []byte) error {
	m[name] = slices.Clone(data)
	return nil
}

// TestRestart: a fan that was claimed and driven by hand when the process ended goes back to its automatic mode with that claim, and when the board is brought to its safe state.
func TestRestart(t *testing.T) {
	for _, c := range []struct {
		name, id, keys, output string
		first, given, safe     bool
		want                   string
	}{
		{"not declared", "nct6775/pwm1", ``, "hwmon0/pwm1", false, true, true, "102 5"},
		{"declared", "x", `{"hwmon":"nct6775","channel":"pwm1"}`, "hwmon0/pwm1", false, true, true, "102 5"},
		{"hold", "x", `{"hwmon":"nct6775","channel":"pwm1","on-release":"hold"}`, "hwmon0/pwm1", false, false, true, "0 1"},
		{"a start of the system", "nct6775/pwm1", ``, "hwmon0/pwm1", true, false, false, "0 1"},
		{"no automatic mode", "gpio_fan/pwm1", ``, "hwmon1/pwm1", false, false, false, "0 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			k, state := bench(), memory{}
			var entries []simtest.Entry
			if c.keys != "" {
				entries = append(entries, simtest.Entry{Table: "fan", ID: "x", Keys: c.keys})
			}
			open := func(first bool) *simtest.Bench {
				b, err := simtest.TryOpenIn(t, Driver(), &hal.Env{Kernel: k, State: state, FirstStart: first}, entries...)
				if err != nil {
					t.Fatal(err)
				}
				return b
			}
			before := open(true)
			before.Expect("Set", `{"fan":"`+c.id+`","permille":0}`, `{}`)
			before.Close()
			b := open(c.first)
			d, _ := b.Class.Devices.(*hal.Set[*Fan]).Find([]byte(c.id))
			if got := len(b.Class.Safe()); (got == 1) != c.safe || got > 1 {
				t.Errorf("%d fans are to be brought to a safe state, want one: %t", got, c.safe)
			}
			release, err := d.Claim()
			if (release != nil) != c.given || err != nil {
				t.Fatalf("got a release: %t, %v, want %t", release != nil, err, c.given)
			}
			if release != nil {
				if err := release(); err != nil {
					t.Error(err)
				}
			}
			if got := pwm(t, k, c.output); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}
