package policy

import (
	"testing"
)

// A set holds what was put into it, and nothing else, however many methods there are.
func TestMethods(t *testing.T) {
	for _, n := range []int{1, 63, 64, 65, 127, 128, 129, 200} {
		odd, all := noMethods(n), noMethods(n)
		for i := range n {
			if i%2 == 1 {
				odd.set(i)
			}
		}
		for i := range n {
			if got := odd.has(i); got != (i%2 == 1) {
				t.Errorf("of %d, %d: got %v", n, i, got)
			}
			one := noMethods(n)
			one.set(i)
			all.add(one)
			if !all.has(i) || i+1 < n && all.has(i+1) {
				t.Errorf("of %d, after %d was added: got %v", n, i, all)
			}
		}
		if want := (n + 63) / 64; len(odd) != want {
			t.Errorf("%d methods take %d words, want %d", n, len(odd), want)
		}
	}
}
