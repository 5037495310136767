package config

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/halberd-io/halberd/service/config/configtest"
)

// TestSubUIDs: the uids of one range of /etc/subuid stand for one another.
func TestSubUIDs(t *testing.T) {
	for _, tt := range []struct {
		name, text string
		uid, want  uint32
	}{
		{"no ranges", "", 100_005, 100_005},
		{"the first", "ann:100000:65536\n", 100_000, 100_000},
		{"the last", "ann:100000:65536\n", 165_535, 100_000},
		{"one behind it", "ann:100000:65536\n", 165_536, 165_536},
		{"one before it", "ann:100000:65536\n", 99_999, 99_999},
		{"the second of two", "bob:165536:65536\nann:100000:65536\n", 165_540, 165_536},
		{"the first of two", "bob:165536:65536\nann:100000:65536\n", 100_001, 100_000},
		{"between two", "ann:1000:10\nbob:2000:10", 1500, 1500},
		{"two that overlap", "ann:1000:600\nbob:1500:1000", 2400, 1000},
		{"one within another", "ann:1000:600\nbob:1100:10", 1500, 1000},
		{"a user's number", "1000:100000:65536", 100_001, 100_000},
		{"root is in no range", "ann:0:65536\n", 0, 0},
		{"the range behind root", "ann:0:65536\n", 5, 1},
		{"root alone", "ann:0:1\n", 1, 1},
		{"of no uids", "ann:1000:0\n", 1000, 1000},
		{"up to the last uid", "ann:4294967290:65536\n", 4294967294, 4294967290},
		{"lines that are none", "# ann:1:2\nann:x:5\nann:3000\nann:1:2:3\n\nann:2000:5\n", 2004, 2000},
		{"white space", "  ann:2000:5 \r\n", 2004, 2000},
		{"a negative number", "ann:-5:100\n", 50, 50},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := t.TempDir()
			if err := os.Mkdir(filepath.Join(root, "etc"), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(root, "etc", "subuid"), []byte(tt.text), 0o644); err != nil {
				t.Fatal(err)
			}
			p, err := LoadPolicy(Options{Dirs: Default(), Root: root, TrustCaller: true}, configtest.Catalog())
			if err != nil {
				t.Fatal(err)
			}
			if got := p.SubUIDs.Owner(tt.uid); got != tt.want {
				t.Errorf("%d: got %d, want %d", tt.uid, got, tt.want)
			}
		})
	}
}

// TestSubUIDsOfOthers: a file that anybody can have written is not believed, and stops nothing.
func TestSubUIDsOfOthers(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, "etc", "subuid")
	if err := os.Mkdir(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("ann:1000:10\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	p, err := LoadPolicy(Options{Dirs: Default(), Root: root, TrustCaller: true}, configtest.Catalog())
	if err != nil || len(p.SubUIDs) != 0 || len(p.Warnings) != 1 {
		t.Fatalf("got %v with the warnings %v, %v; want one warning and no ranges", p.SubUIDs, p.Warnings, err)
	}
}
