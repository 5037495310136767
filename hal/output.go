package hal

import "errors"

// What an output does when a claim or lease on it ends.
const (
	ReleaseSafe    = "safe"    // it goes to its safe value
	ReleaseHold    = "hold"    // it keeps its value
	ReleaseRestore = "restore" // it goes back to what it was before
)

// Output is what board.toml says about the value of an output: a part of the entry of every class that has one.
type Output struct {
	Initial, Safe Opt[int64]
	OnRelease     Opt[string]
}

// Fields declares the keys, for values from min to max.
func (o *Output) Fields(f *Fields, min, max int64, unit Unit) {
	f.OptIntIn("initial", &o.Initial, min, max, unit, "Written at the first start since boot.")
	f.OptIntIn("safe", &o.Safe, min, max, unit, "The safe value: written at every other start, but where the line was held on over a restart, and when the board is brought to its safe state.")
	f.OptEnum("on-release", &o.OnRelease, []string{ReleaseSafe, ReleaseHold, ReleaseRestore},
		"What happens when a claim or a lease ends; without it `safe` where a safe value is given, else `hold`.")
}

// Given reports whether any of the keys is there.
func (o *Output) Given() bool { return o.Initial.Set || o.Safe.Set || o.OnRelease.Set }

// Check finds what contradicts itself.
func (o *Output) Check() error {
	if o.OnRelease.Value == ReleaseSafe && !o.Safe.Set {
		return errors.New(`on-release = "safe" needs a value for safe`)
	}
	return nil
}

// AtStart is the value to write when Halberd starts, if any: `initial` at the first start since boot, else `safe`.
func (o *Output) AtStart(first bool) Opt[int64] {
	if first && o.Initial.Set {
		return o.Initial
	}
	return o.Safe
}

// Release is what happens when a claim or a lease ends.
func (o *Output) Release() string {
	if o.Safe.Set {
		return o.OnRelease.Or(ReleaseSafe)
	}
	return o.OnRelease.Or(ReleaseHold)
}
