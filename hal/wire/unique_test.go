package wire

import (
	"fmt"
	"strings"
	"testing"
)

// TestUniqueManyKeys: a duplicate is found however many keys stand before it, and however deep.
func TestUniqueManyKeys(t *testing.T) {
	for _, n := range []int{1, 7, 8, 9, 100} {
		keys := make([]string, n)
		for i := range keys {
			keys[i] = fmt.Sprintf(`"k%d":%d`, i, i)
		}
		good := `[{"a":{` + strings.Join(keys, ",") + `}}]`
		if err := Unique(Value(good)); err != nil {
			t.Errorf("%d keys: %v", n, err)
		}
		for _, again := range []int{0, n - 1} {
			bad := fmt.Sprintf(`[{"a":{%s,"k%d":0}}]`, strings.Join(keys, ","), again)
			if err := Unique(Value(bad)); err == nil || err.Error() != fmt.Sprintf(`duplicate key "k%d"`, again) {
				t.Errorf("%d keys and k%d again: got %v", n, again, err)
			}
		}
	}
}
