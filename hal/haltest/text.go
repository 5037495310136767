package haltest

import (
	"flag"
	"os"
	"path/filepath"

	"github.com/halberd-io/halberd/hal"
)

// text compares the printed interface with testdata/<Class>.varlink.
func text(f *findings) { f.textIn("testdata") }

func (f *findings) textIn(folder string) {
	f.with(func(b *bench) {
		c := b.class
		path := filepath.Join(folder, c.Name+".varlink")
		got := hal.InterfaceText("io.halberd."+c.Name, c.Doc, c.Methods, nil)
		if updating() {
			if err := os.MkdirAll(folder, 0o755); err != nil {
				f.add("%v", err)
			}
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				f.add("%v", err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			f.add("%v; -update writes it", err)
		} else if got != string(want) {
			f.add("the interface is not that of %s; where that is meant, -update writes it anew:\n%s", path, got)
		}
	})
}

// updating asks for the flag -update, which package simtest declares: a flag can be declared only once in a test binary.
func updating() bool {
	f := flag.Lookup("update")
	return f != nil && f.Value.String() == "true"
}
