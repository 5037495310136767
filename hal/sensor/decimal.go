package sensor

import (
	"errors"
	"math"
	"math/bits"
	"strconv"
	"strings"
)

var (
	errDecimal = errors.New("not a decimal number")
	errRange   = errors.New("the reading does not fit 64 bits")
)

// decimal is mantissa / 10^digits: what the kernel prints as 0.004882812.
type decimal struct {
	mantissa int64
	digits   int
}

// parseDecimal reads a number without exponent. Zeros at the end of the fraction are dropped.
func parseDecimal(text string) (decimal, error) {
	text = strings.TrimSpace(text)
	whole, fraction, _ := strings.Cut(text, ".")
	fraction = strings.TrimRight(fraction, "0")
	if strings.ContainsAny(fraction, "+-_") {
		return decimal{}, errDecimal
	}
	n, err := strconv.ParseInt(whole+fraction, 10, 64)
	if errors.Is(err, strconv.ErrRange) {
		return decimal{}, errRange
	}
	if err != nil {
		return decimal{}, errDecimal
	}
	return decimal{n, len(fraction)}, nil
}

// add gives a + b.
func (a decimal) add(b decimal) (decimal, error) {
	if a.digits < b.digits {
		a, b = b, a
	}
	for b.digits < a.digits {
		if b.mantissa > math.MaxInt64/10 || b.mantissa < math.MinInt64/10 {
			return decimal{}, errRange
		}
		b.mantissa *= 10
		b.digits++
	}
	sum := a.mantissa + b.mantissa
	if (sum > a.mantissa) != (b.mantissa > 0) && b.mantissa != 0 {
		return decimal{}, errRange
	}
	return decimal{sum, a.digits}, nil
}

// times gives a * b * 10^power, rounded to an integer, halves away from zero.
func (a decimal) times(b decimal, power int) (int64, error) {
	high, low := bits.Mul64(magnitude(a.mantissa), magnitude(b.mantissa))
	power -= a.digits + b.digits
	for ; power > 0; power-- {
		if high != 0 || low > math.MaxUint64/10 {
			return 0, errRange
		}
		low *= 10
	}
	last := uint64(0) // the digit that was cut off last
	for ; power < 0; power++ {
		high, low, last = tenth(high, low)
	}
	if last >= 5 {
		low++
	}
	if high != 0 || low > math.MaxInt64 {
		return 0, errRange
	}
	if (a.mantissa < 0) != (b.mantissa < 0) {
		return -int64(low), nil
	}
	return int64(low), nil
}

// tenth divides a number of 128 bits by ten.
func tenth(high, low uint64) (uint64, uint64, uint64) {
	quotient, rest := bits.Div64(high%10, low, 10)
	return high / 10, quotient, rest
}

func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}
