package sim

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// maxSteps is MAX_PATTERNS: what comes after so many is left out, without a word.
const maxSteps = 1024

// pattern follows drivers/leds/trigger/ledtrig-pattern.c. Its time does not pass: a pattern that plays is at its first step until FinishPattern.
type pattern struct {
	led     *led
	steps   []patternStep
	repeat  int64 // as it was written; -1 is for ever
	left    int64 // of the repeats, where that is not for ever
	playing bool
}

type patternStep struct{ brightness, msec int64 }

// start gives the light the files of the trigger. Beside these there are hr_pattern and, where the hardware has patterns, hw_pattern.
func (d *led) startPattern() {
	p := &pattern{led: d, repeat: -1}
	d.pattern = p
	d.node.add("pattern", &attribute{p.show, p.store})
	d.node.add("repeat", &attribute{d.show(&p.repeat), p.setRepeat})
}

func (p *pattern) show() (string, error) {
	var b strings.Builder
	for _, s := range p.steps {
		fmt.Fprintf(&b, "%d %d ", s.brightness, s.msec)
	}
	if b.Len() == 0 {
		return "", nil
	}
	return strings.TrimSuffix(b.String(), " ") + "\n", nil
}

func (p *pattern) store(text string) error {
	p.steps, p.playing = nil, false
	err := p.parse(text)
	if err == nil {
		err = p.play()
	}
	if err != nil {
		p.steps = nil
	}
	return err
}

// parse reads "brightness msec" again and again. A last character alone, as a line feed, is not looked at.
func (p *pattern) parse(text string) error {
	for offset := 0; offset < len(text)-1 && len(p.steps) < maxSteps; {
		brightness, first, ok := scanUint(text[offset:])
		msec, second, too := scanUint(text[offset+first:])
		if !ok || !too || brightness > p.led.max {
			return unix.EINVAL
		}
		offset += first + second
		offset += len(text[offset:]) - len(strings.TrimLeft(text[offset:], " \n"))
		p.steps = append(p.steps, patternStep{brightness, msec})
	}
	return nil
}

// scanUint reads a decimal number behind white space, as sscanf does with %u.
func scanUint(text string) (n int64, length int, ok bool) {
	start := len(text) - len(strings.TrimLeft(text, " \n"))
	for length = start; length < len(text) && text[length] >= '0' && text[length] <= '9'; length++ {
	}
	n, err := strconv.ParseInt(text[start:length], 10, 64)
	return n, length, err == nil
}

// play begins with the first step, unless all repeats are over: writing a pattern does not give it others.
func (p *pattern) play() error {
	switch {
	case len(p.steps) == 0:
		return nil
	case len(p.steps) < 2:
		return unix.EINVAL
	}
	if p.repeat == -1 || p.left > 0 {
		p.playing, p.led.brightness = true, p.steps[0].brightness
	}
	return nil
}

// setRepeat begins anew with the pattern that there is.
func (p *pattern) setRepeat(text string) error {
	n, err := strconv.ParseInt(strings.TrimSuffix(text, "\n"), 10, 32)
	if err != nil || n < -1 || n == 0 {
		return unix.EINVAL
	}
	p.repeat, p.left = n, n
	return p.play()
}

// FinishPattern lets a light's pattern play to its end, which leaves the light at its last step. A test that names a light where none plays, or one that plays for ever, is wrong, and panics.
func (k *Kernel) FinishPattern(light string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	p := k.devices[light].hardware.(*led).pattern
	if p == nil || !p.playing || p.repeat == -1 {
		panic("sim: no pattern of " + light + " comes to an end")
	}
	p.playing, p.left = false, 0
	p.led.brightness = p.steps[len(p.steps)-1].brightness
}
