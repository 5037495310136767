package dispatch_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"testing"

	jsonv2 "github.com/go-json-experiment/json"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/wire"
	"github.com/halberd-io/halberd/service/dispatch"
)

// A call is read in three ways: by dispatch and hal as the daemon does, by encoding/json, and by its second version (github.com/go-json-experiment/json). What we take, they take, with the
// same meaning. What they take and we refuse, we refuse for a reason that reasons finds without our reader.

// parameters has a field of each kind.
type parameters struct {
	led        string
	brightness int64
	ramp       hal.Opt[int64]
	mode       hal.Opt[string]
	steady     hal.Opt[bool]
	tags       []string
	codes      hal.Opt[[]int64]
	values     hal.Opt[map[string]int64]
	data       hal.Opt[[]byte]
	messages   []part
	extra      wire.Value
}

type part struct {
	address int64
	write   hal.Opt[[]byte]
}

const (
	maxBrightness = 255
	maxElements   = 3
	maxData       = 8
	maxDepth      = 32
)

var modes = []string{"once", "repeat"}

func (p *parameters) Fields(f *hal.Fields) {
	f.Text("led", &p.led, "")
	f.IntIn("brightness", &p.brightness, 0, maxBrightness, hal.Unitless, "")
	f.OptInt("rampMSec", &p.ramp, hal.Milliseconds, "")
	f.OptEnum("mode", &p.mode, modes, "")
	f.OptBool("steady", &p.steady, "")
	f.Texts("tags", &p.tags, 0, maxElements, "")
	f.OptInts("codes", &p.codes, 0, maxElements, hal.Unitless, "")
	f.OptIntMap("values", &p.values, 0, maxElements, hal.Unitless, "")
	f.OptBlob("data", &p.data, maxData, "")
	hal.Each(f, "messages", &p.messages, 0, maxElements, "")
	f.OptRaw("extra", &p.extra, "")
}

func (p *part) Fields(f *hal.Fields) {
	f.Int("address", &p.address, hal.Unitless, "")
	f.OptBlob("write", &p.write, maxData, "")
}

// foreign is a call as the others read it.
type foreign struct {
	Method     *string            `json:"method"`
	Parameters *foreignParameters `json:"parameters"`
	Oneway     *bool              `json:"oneway"`
	More       *bool              `json:"more"`
	Upgrade    *bool              `json:"upgrade"`
}

type foreignParameters struct {
	Led        *string           `json:"led"`
	Brightness *int64            `json:"brightness"`
	Ramp       *int64            `json:"rampMSec"`
	Mode       *string           `json:"mode"`
	Steady     *bool             `json:"steady"`
	Tags       *[]string         `json:"tags"`
	Codes      *[]int64          `json:"codes"`
	Values     *map[string]int64 `json:"values"`
	Data       *[]byte           `json:"data"`
	Messages   *[]foreignPart    `json:"messages"`
	Extra      *json.RawMessage  `json:"extra"`
}

type foreignPart struct {
	Address *int64  `json:"address"`
	Write   *[]byte `json:"write"`
}

// ours reads a call as the daemon does, and puts it into the others' words.
func ours(text []byte) (*foreign, error) {
	e, err := dispatch.Parse(text)
	if err != nil {
		return nil, err
	}
	var p parameters
	if err := hal.Decode(e.Parameters, &p); err != nil {
		return nil, err
	}
	method := string(e.Method)
	out := &foreignParameters{
		Led: &p.led, Brightness: &p.brightness, Ramp: given(p.ramp), Mode: given(p.mode), Steady: given(p.steady), Tags: &p.tags,
		Codes: given(p.codes), Values: given(p.values), Data: given(p.data), Messages: new([]foreignPart),
	}
	for i := range p.messages {
		*out.Messages = append(*out.Messages, foreignPart{&p.messages[i].address, given(p.messages[i].write)})
	}
	if p.extra != nil {
		out.Extra = (*json.RawMessage)(&p.extra)
	}
	return &foreign{&method, out, &e.Oneway, &e.More, &e.Upgrade}, nil
}

func given[T any](o hal.Opt[T]) *T {
	if !o.Set {
		return nil
	}
	return &o.Value
}

// words writes a call down, so that two can be compared: an array without elements is one, however it is held, and a flag that is left out is false.
func words(c *foreign) string {
	p := c.Parameters
	if p == nil {
		p = &foreignParameters{}
	}
	text := fmt.Sprintf("%q %t %t %t %s", *c.Method, set(c.Oneway), set(c.More), set(c.Upgrade), number(p.Brightness))
	text += fmt.Sprintf(" %q %s %q %t %t %q %d %v", *p.Led, number(p.Ramp), value(p.Mode), p.Steady != nil, set(p.Steady), value(p.Tags), value(p.Codes), value(p.Values))
	text += fmt.Sprintf(" %t %x %t %t %t", p.Data != nil, value(p.Data), p.Mode != nil, p.Codes != nil, p.Values != nil)
	for _, m := range *p.Messages {
		text += fmt.Sprintf(" %s %t %x", number(m.Address), m.Write != nil, value(m.Write))
	}
	return text + fmt.Sprintf(" %s", value(p.Extra))
}

func set(b *bool) bool { return b != nil && *b }

func number(n *int64) string {
	if n == nil {
		return "none"
	}
	return fmt.Sprint(*n)
}

func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// readers are the others. The first one is as lenient as most users have it, the second one as strict as it can be.
var readers = []struct {
	name string
	read func([]byte, *foreign) error
}{
	{"encoding/json", func(text []byte, c *foreign) error { return json.Unmarshal(text, c) }},
	{"go-json-experiment", func(text []byte, c *foreign) error {
		return jsonv2.Unmarshal(text, c, jsonv2.RejectUnknownMembers(true))
	}},
}

// tally counts what became of documents, by reader.
type tally map[string]map[string]int

// TestSoakDifferential reads 20,000 documents, a million where HALBERD_SOAK is set, and fewer on the targets, which are emulated.
func TestSoakDifferential(t *testing.T) {
	documents := 20_000
	switch {
	case os.Getenv("HALBERD_SOAK") != "":
		documents = 1_000_000
	case testing.Short() || runtime.GOARCH != "amd64":
		documents = 4_000
	}
	differential(t, 1, documents)
}

func differential(t *testing.T, seed uint64, documents int) {
	r := rand.New(rand.NewPCG(seed, 7))
	count := tally{}
	for _, reader := range readers {
		count[reader.name] = map[string]int{}
	}
	for i := range documents {
		text := randomCall(r)
		compare(t, text, count)
		if t.Failed() {
			t.Fatalf("document %d: %q", i, text)
		}
	}
	for _, reader := range readers {
		for _, what := range slices.Sorted(maps.Keys(count[reader.name])) {
			t.Logf("%s: %s: %d", reader.name, what, count[reader.name][what])
		}
	}
	for _, reason := range allReasons {
		if count["encoding/json"]["taken, and refused by us: "+reason] == 0 {
			t.Errorf("no document was refused for this reason: %s", reason)
		}
	}
}

// compare reads one document in all ways.
func compare(t *testing.T, text []byte, count tally) {
	t.Helper()
	kept := bytes.Clone(text)
	call, err := ours(text)
	if !bytes.Equal(text, kept) {
		t.Errorf("reading changed the message to %q", text)
	}
	why := ""
	for _, reader := range readers {
		var other foreign
		otherErr := reader.read(text, &other)
		what := "refused by both"
		switch {
		case err == nil && otherErr != nil:
			t.Errorf("%s refuses what we take: %v", reader.name, otherErr)
		case err == nil:
			what = "taken by both"
			if got, want := words(call), words(&other); got != want {
				t.Errorf("got %s, want %s as %s has it", got, want, reader.name)
			}
		case otherErr == nil:
			if why == "" {
				why = reason(text)
			}
			what = "taken, and refused by us: " + why
			if why == "" {
				t.Errorf("%s takes what we refuse without a reason: %v", reader.name, err)
			}
		}
		count[reader.name][what]++
	}
	if err == nil {
		if why := reason(text); why != "" {
			t.Errorf("we take what is to be refused: %s", why)
		}
	}
}

// FuzzDifferential does the same with whatever the fuzzer finds.
func FuzzDifferential(f *testing.F) {
	r := rand.New(rand.NewPCG(3, 7))
	for range 50 {
		f.Add(randomCall(r))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		count := tally{}
		for _, reader := range readers {
			count[reader.name] = map[string]int{}
		}
		compare(t, text, count)
	})
}
