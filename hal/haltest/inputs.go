package haltest

import (
	"iter"
	"math/rand/v2"
	"runtime"
	"slices"
)

// Inputs gives n inputs made of seeds: each is one of them with a few bytes changed, left out, repeated, or taken from another one. They are the same ones each time. Tests run what a fuzz target checks on
// them, so that every run tries more than the seeds; make fuzz goes on from there. On other machines than amd64, where tests run emulated as a rule and ten times slower, there are n/10.
func Inputs(n int, seeds ...string) iter.Seq[string] {
	if runtime.GOARCH != "amd64" {
		n /= 10
	}
	r := rand.New(rand.NewPCG(uint64(len(seeds)), 1))
	return func(yield func(string) bool) {
		for range n {
			input := []byte(seeds[r.IntN(len(seeds))])
			for range 1 + r.IntN(4) {
				input = altered(r, input, seeds)
			}
			if !yield(string(input)) {
				return
			}
		}
	}
}

// altered changes one thing.
func altered(r *rand.Rand, input []byte, seeds []string) []byte {
	if len(input) == 0 {
		return []byte(seeds[r.IntN(len(seeds))])
	}
	i := r.IntN(len(input))
	end := min(len(input), i+1+r.IntN(8))
	switch r.IntN(7) {
	case 0:
		input[i] ^= 1 << r.IntN(8)
	case 1:
		input[i] = "\x00\x01\x7f\x80\xff\"\\{}[]:,.-0 \n"[r.IntN(18)]
	case 2:
		return slices.Delete(input, i, end)
	case 3:
		return slices.Insert(input, i, input[i:end]...)
	case 4:
		return input[:i]
	case 5:
		other := seeds[r.IntN(len(seeds))]
		return append(input[:i], other[r.IntN(len(other)+1):]...)
	case 6:
		j := r.IntN(len(input))
		input[i], input[j] = input[j], input[i]
	}
	return input
}
