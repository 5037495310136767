package i2c

import (
	"fmt"
	"strconv"
	"strings"
)

// span is registers that follow each other, both ends included.
type span struct{ first, last int64 }

// spans are registers as board.toml lists them. No two touch.
type spans []span

// parseSpans reads "0x00-0x7f, 0x90". most is the greatest register that there may be.
func parseSpans(text string, most int64) (spans, error) {
	var all spans
	for part := range strings.SplitSeq(text, ",") {
		low, high, isRange := strings.Cut(strings.TrimSpace(part), "-")
		if !isRange {
			high = low
		}
		first, err := parseRegister(low, most)
		if err != nil {
			return nil, err
		}
		last, err := parseRegister(high, most)
		switch {
		case err != nil:
			return nil, err
		case first > last:
			return nil, fmt.Errorf("the range %s ends before it begins", part)
		}
		all = all.and(span{first, last})
	}
	return all, nil
}

func parseRegister(text string, most int64) (int64, error) {
	text = strings.TrimSpace(text)
	n, err := strconv.ParseUint(text, 0, 16)
	octal := len(text) > 1 && text[0] == '0' && text[1] >= '0' && text[1] <= '9' // which nobody means
	if err != nil || octal {
		return 0, fmt.Errorf(`%q is no register: write "0x00-0x7f" or "0x00, 0x10-0x1f"`, text)
	}
	if int64(n) > most {
		return 0, fmt.Errorf("register %#x is beyond the last one, %#x", n, most)
	}
	return int64(n), nil
}

// and takes one more in: those that it touches or overlaps become one with it.
func (s spans) and(one span) (out spans) {
	for _, other := range s {
		if other.first <= one.last+1 && one.first <= other.last+1 {
			one = span{min(one.first, other.first), max(one.last, other.last)}
		} else {
			out = append(out, other)
		}
	}
	return append(out, one)
}

// with is the span that a register is in, else the nearest one.
func (s spans) with(register int64) (found span, in bool) {
	distance := int64(-1)
	for _, one := range s {
		d := max(one.first-register, register-one.last, 0)
		if distance < 0 || d < distance {
			found, distance = one, d
		}
	}
	return found, distance == 0
}
