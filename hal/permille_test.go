package hal

import "testing"

func TestPermille(t *testing.T) {
	for _, c := range []struct {
		name                 string
		permille, most, want int64
		back                 int64
	}{
		{"nothing", 0, 255, 0, 0},
		{"the whole", 1000, 255, 255, 1000},
		{"half", 500, 255, 128, 502},
		{"the nearest below", 100, 255, 26, 102},
		{"a little is not nothing", 1, 255, 1, 4},
		{"a little of one step", 1, 1, 1, 1000},
		{"no steps", 700, 0, 0, 0},
		{"many steps", 1, 1 << 50, 1125899906843, 1},
		{"three steps", 600, 3, 2, 667},
	} {
		got := OfPermille(c.permille, c.most)
		if got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
		if back := InPermille(got, c.most); back != c.back {
			t.Errorf("%s: back: got %d, want %d", c.name, back, c.back)
		}
	}
	if got := InPermille(300, 255); got != 1000 {
		t.Errorf("more than the whole: got %d, want 1000", got)
	}
	if got := InPermille(-1, 255); got != 0 {
		t.Errorf("less than nothing: got %d, want 0", got)
	}
}
