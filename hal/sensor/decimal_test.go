package sensor

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"testing"
)

func TestParseDecimal(t *testing.T) {
	for _, c := range []struct {
		text string
		want decimal
		err  error
	}{
		{"0", decimal{0, 0}, nil},
		{"41000\n", decimal{41000, 0}, nil},
		{"-17", decimal{-17, 0}, nil},
		{"0.805664062", decimal{805664062, 9}, nil},
		{"3.300000000", decimal{33, 1}, nil},
		{"-0.5", decimal{-5, 1}, nil},
		{"1000.000000", decimal{1000, 0}, nil},
		{"", decimal{}, errDecimal},
		{"n/a", decimal{}, errDecimal},
		{"1.5.2", decimal{}, errDecimal},
		{"1.-5", decimal{}, errDecimal},
		{"0x10", decimal{}, errDecimal},
		{"1e3", decimal{}, errDecimal},
		{"9223372036854775807", decimal{9223372036854775807, 0}, nil},
		{"9223372036854775808", decimal{}, errRange},
		{"-9223372036854775808", decimal{-9223372036854775808, 0}, nil},
	} {
		got, err := parseDecimal(c.text)
		if err != c.err || err == nil && got != c.want {
			t.Errorf("%q: got %v, %v; want %v, %v", c.text, got, err, c.want, c.err)
		}
	}
}

func TestTimes(t *testing.T) {
	for _, c := range []struct {
		a, b  decimal
		power int
		want  int64
		err   error
	}{
		{decimal{2048, 0}, decimal{805664062, 9}, 3, 1650000, nil},
		{decimal{5, 1}, decimal{1, 0}, 0, 1, nil},
		{decimal{-5, 1}, decimal{1, 0}, 0, -1, nil},
		{decimal{49, 2}, decimal{1, 0}, 0, 0, nil},
		{decimal{1, 0}, decimal{1, 0}, 18, 1000000000000000000, nil},
		{decimal{1, 0}, decimal{1, 0}, 19, 0, errRange},
		{decimal{9223372036854775807, 0}, decimal{9223372036854775807, 0}, -19, 8507059173023461585, nil},
		{decimal{9223372036854775807, 0}, decimal{9223372036854775807, 0}, -18, 0, errRange},
		{decimal{-9223372036854775808, 0}, decimal{1, 0}, 0, 0, errRange},
	} {
		got, err := c.a.times(c.b, c.power)
		if err != c.err || err == nil && got != c.want {
			t.Errorf("%v * %v * 10^%d: got %d, %v; want %d, %v", c.a, c.b, c.power, got, err, c.want, c.err)
		}
	}
}

// Against exact fractions.
func TestArithmetic(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	number := func() decimal { return decimal{r.Int64() >> r.IntN(63) * int64(1-2*r.IntN(2)), r.IntN(13)} }
	for range 3000 {
		a, b, scale, power := number(), number(), number(), r.IntN(7)
		sum := new(big.Rat).Add(a.rat(), b.rat())
		if got, err := a.add(b); err == nil && got.rat().Cmp(sum) != 0 {
			t.Fatalf("%v + %v: got %v", a, b, got)
		}
		exact := new(big.Rat).Mul(a.rat(), scale.rat())
		exact.Mul(exact, ten(power))
		want, fits := rounded(exact)
		got, err := a.times(scale, power)
		if fits != (err == nil) || fits && got != want {
			t.Fatalf("%v * %v * 10^%d: got %d, %v; want %d, %v", a, scale, power, got, err, want, fits)
		}
	}
}

func (d decimal) rat() *big.Rat {
	return new(big.Rat).Quo(new(big.Rat).SetInt64(d.mantissa), ten(d.digits))
}

func ten(power int) *big.Rat {
	r, _ := new(big.Rat).SetString(fmt.Sprintf("1e%d", power))
	return r
}

func rounded(r *big.Rat) (int64, bool) {
	text := r.FloatString(0)
	n, _ := new(big.Int).SetString(text, 10)
	min := new(big.Int).SetInt64(-9223372036854775808)
	return n.Int64(), n.IsInt64() && n.Cmp(min) != 0
}

func TestQuantityOf(t *testing.T) {
	for _, c := range []struct{ name, unit string }{
		{"temp1", "milli_celsius"}, {"in0", "micro_volt"}, {"in12", "micro_volt"}, {"intrusion0", ""}, {"freq1", ""}, {"fan", "rpm"},
	} {
		got, known := quantityOf(hwmonQuantities, c.name)
		if got.unit != c.unit || known != (c.unit != "") {
			t.Errorf("%s: got %q, want %q", c.name, got.unit, c.unit)
		}
	}
}
