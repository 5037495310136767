package sim

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// transient follows drivers/leds/trigger/ledtrig-transient.c: a LED is on, or off, for a time. Drivers of vibrators in Android's kernels have the same files, but for state, without a trigger; activating
// one of those always means on.
type transient struct {
	kernel   *Kernel
	led      *led
	duration int64 // ms
	state    int64 // 1 for on
	restore  int64 // brightness afterwards
	active   bool
	until    time.Duration
}

// ledFull is LED_FULL, which a LED takes as far as it goes.
const ledFull = 255

// addTo adds the files.
func (t *transient) addTo(n *node, names ...string) {
	all := map[string]*attribute{
		"activate": {t.showActive, t.setActive},
		"duration": {t.led.show(&t.duration), store(&t.duration)},
		"state":    {t.led.show(&t.state), t.setState},
	}
	for _, name := range names {
		n.add(name, all[name])
	}
}

// settle ends what is over.
func (t *transient) settle() {
	if t != nil && t.active && t.kernel.clock() >= t.until {
		t.active, t.led.brightness = false, t.restore
	}
}

func (t *transient) showActive() (string, error) {
	t.settle()
	if t.active {
		return "1\n", nil
	}
	return "0\n", nil
}

// setActive is transient_activate_store: one that is active is not begun anew.
func (t *transient) setActive(text string) error {
	n, err := parseUint(text)
	if err != nil {
		return err
	}
	t.settle()
	switch {
	case n > 1:
		return unix.EINVAL
	case n == 0 && t.active:
		t.active, t.led.brightness = false, t.restore
	case n == 1 && !t.active && t.duration != 0:
		full := min(ledFull, t.led.max)
		t.active, t.until = true, t.kernel.clock()+time.Duration(t.duration)*time.Millisecond
		t.led.brightness, t.restore = t.state*full, (1-t.state)*full
	}
	return nil
}

func (t *transient) setState(text string) error {
	n, err := parseUint(text)
	if err == nil && n > 1 {
		err = unix.EINVAL
	}
	if err == nil {
		t.state = n
	}
	return err
}

// showBrightness is what the LED is now.
func (d *led) showBrightness() (string, error) {
	d.transient.settle()
	return fmt.Sprintln(d.brightness), nil
}

// Brightness tells how brightly a LED shines, or how strongly a vibrator among them runs.
func (k *Kernel) Brightness(led string) int64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	d := k.leds[led]
	d.transient.settle()
	return d.brightness
}
