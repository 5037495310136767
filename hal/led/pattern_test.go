package led

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal/haltest"
	"github.com/halberd-io/halberd/hal/sim/simtest"
)

// TestPattern: what the kernel gets to play, and what is refused before it hears of it.
func TestPattern(t *testing.T) {
	const untouched = "[none] timer heartbeat default-on pattern"
	for _, c := range []struct{ name, steps, repeat, want, pattern, repeats string }{
		{"for ever", "255 500 0 500", "", `{}`, "255 500 0 500", "-1"},
		{"a few times", "1 50 2 0 3 3600000", "7", `{}`, "1 50 2 0 3 3600000", "7"},
		{"the most often", "255 500 0 500", "2147483647", `{}`, "255 500 0 500", "2147483647"},
		{"one step", "255 500", "", `InvalidParameter{"parameter":"steps"}`, "", ""},
		{"too bright", "0 500 256 500", "", `OutOfRange{"parameter":"steps[1].brightness","minimum":0,"maximum":255}`, "", ""},
		{"below zero", "0 500 -1 500", "", `InvalidParameter{"parameter":"steps[1].brightness"}`, "", ""},
		{"longer than an hour", "0 3600001 1 1", "", `InvalidParameter{"parameter":"steps[0].durationMSec"}`, "", ""},
		{"none lasts", "0 0 255 0", "", `InvalidParameter{"parameter":"steps"}`, "", ""},
		{"not even once", "255 500 0 500", "0", `InvalidParameter{"parameter":"repeat"}`, "", ""},
		{"as many as fit a page", strings.Repeat("1 1 ", 1024), "", `{}`, strings.TrimSpace(strings.Repeat("1 1 ", 1024)), "-1"},
		{"too many", strings.Repeat("1 1 ", 1025), "", `InvalidParameter{"parameter":"steps"}`, "", ""},
		{"too long", strings.Repeat("255 1000 ", 500), "", `OutOfRange{"parameter":"steps","minimum":2,"maximum":455}`, "", ""},
		{"as long as may be", strings.Repeat("255 1000 ", 455), "", `{}`, strings.TrimSpace(strings.Repeat("255 1000 ", 455)), "-1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := bench()
			b := simtest.Open(t, Driver(), k, false, front)
			b.Expect("Pattern", patternOf("front", c.steps, c.repeat), c.want)
			if c.want != `{}` {
				if got := simtest.Cat(t, k, sysFront+"/trigger"); got != untouched {
					t.Errorf("the triggers are %s, want %s", got, untouched)
				}
				return
			}
			if got := simtest.Cat(t, k, sysFront+"/pattern"); got != c.pattern {
				t.Errorf("the kernel has %s, want %s", got, c.pattern)
			}
			if got := simtest.Cat(t, k, sysFront+"/repeat"); got != c.repeats {
				t.Errorf("it is repeated %s times, want %s", got, c.repeats)
			}
		})
	}
}

// patternOf makes parameters of "brightness duration" again and again.
func patternOf(light, steps, repeat string) string {
	var all []string
	words := strings.Fields(steps)
	for i := 0; i < len(words); i += 2 {
		all = append(all, fmt.Sprintf(`{"brightness":%s,"durationMSec":%s}`, words[i], words[i+1]))
	}
	in := fmt.Sprintf(`{"led":"%s","steps":[%s]`, light, strings.Join(all, ","))
	if repeat != "" {
		in += `,"repeat":` + repeat
	}
	return in + "}"
}

// TestPatternAfterPattern: another pattern plays, also where the one before has come to its end, and Set ends it.
func TestPatternAfterPattern(t *testing.T) {
	k := bench()
	b := simtest.Open(t, Driver(), k, false, front)
	w := b.Watch("Watch", `{"leds":["front"]}`)
	w.Events()
	brightness := func(what, want string) {
		t.Helper()
		if got := simtest.Cat(t, k, sysFront+"/brightness"); got != want {
			t.Errorf("%s: the brightness is %s, want %s", what, got, want)
		}
	}
	b.Expect("Pattern", patternOf("front", "10 500 20 500", "2"), `{}`)
	brightness("the first one plays", "10")
	w.Expect(`{"led":"front","brightness":10,"trigger":"pattern"}`)
	k.FinishPattern("front:white")
	brightness("it ended", "20")
	b.Expect("Pattern", patternOf("front", "30 500 40 500", ""), `{}`)
	brightness("the second one plays", "30")
	b.Expect("Pattern", patternOf("front", "50 500 60 500", "1"), `{}`)
	brightness("the third one plays", "50")
	b.Expect("Set", `{"led":"front","brightness":9}`, `{}`)
	brightness("set", "9")
	w.Expect(`{"led":"front","brightness":9,"trigger":"none"}`)
	b.Expect("Pattern", patternOf("far", "1 500 0 500", ""), `NotSupported{"feature":"pattern"}`)
	b.Expect("Pattern", patternOf("status:rgb", "100 500 0 500", ""), `{}`)
}

// TestPatternHalfWay: whatever call of the kernel fails, the light plays what it played, or is off, and where the caller is told that it worked it plays what is new.
func TestPatternHalfWay(t *testing.T) {
	seen := map[string]bool{}
	for at := 1; ; at++ {
		k := bench()
		faulty := haltest.FailAt(k, 0, 0)
		b := simtest.Open(t, Driver(), faulty, false, front)
		b.Expect("Pattern", patternOf("front", "10 500 20 500", ""), `{}`)
		faulty.Arm(at, unix.EIO)
		answer := b.Call("Pattern", patternOf("front", "30 500 40 500", "1"))
		failed := faulty.Failed()
		faulty.Arm(0, 0)
		state := "off"
		if strings.Contains(simtest.Cat(t, k, sysFront+"/trigger"), "[pattern]") {
			state = simtest.Cat(t, k, sysFront+"/pattern") + ", " + simtest.Cat(t, k, sysFront+"/repeat")
		} else if got := simtest.Cat(t, k, sysFront+"/brightness"); got != "0" {
			t.Errorf("call %d fails: the brightness is %s without a trigger", at, got)
		}
		seen[state] = true
		switch told := answer == `{}`; {
		case told && state != "30 500 40 500, 1":
			t.Errorf("call %d fails: the answer is that it worked, and the light plays %s", at, state)
		case !told && state != "off" && state != "10 500 20 500, -1":
			t.Errorf("call %d fails: the answer is %s, and the light plays %s", at, answer, state)
		}
		if failed == "" {
			break
		}
	}
	if len(seen) != 3 {
		t.Errorf("the light plays %v, want the old one, the new one or nothing", seen)
	}
}
