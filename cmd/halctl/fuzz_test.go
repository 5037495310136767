package main

import (
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/board"
	"github.com/halberd-io/halberd/hal/haltest"
	"github.com/halberd-io/halberd/hal/wire"
	"github.com/halberd-io/halberd/service"
	"github.com/halberd-io/halberd/service/config"
)

var typedWords = []string{
	"gpio\nset\nrelay-pump\n1", "gpio\nset-many\na=1\nb=0x1\nc=-1", "led\nset\nfront\n--ramp-m-sec=5\n128", "led\nset\nfront\n128\n--ramp-m-sec\n5", "led\nset\n--no\n1", "led\nset\nfront\n--", "gpio\nget\na\nb\nc",
	"pwm\nset\nbuzzer\n1000000\n500000", "i2c\ntransfer\ni2c-1\n[{\"address\":80,\"write\":\"AA==\",\"readLength\":2}]", "i2c\nread\neeprom\n0\n4", "io.halberd.Led.Set\n{\"led\":\"front\"}", "io.halberd.Led.Set\nnull", "io.halberd.Led.Set\n[", "io.halberd.Led.Set\n{}\n{}",
	"led", "", "nothing\nget", "LED\nget\nfront", "gpio\npulse\nrelay-pump\n1\n9223372036854775808", "cpu\nset\n1_0\ntrue\nT", "gpio\nset\n\xff\n1", "power\nreboot",
}

// checkWords: words are a call whose parameters are JSON that the daemon reads, or they are used wrongly.
func checkWords(t *testing.T, text string) {
	t.Helper()
	words := strings.Split(text, "\n")
	m, parameters, err := typedCall(words)
	if err != nil {
		var usage *usageError
		if !errors.As(err, &usage) || usage.usage == "" {
			t.Errorf("%q: got %v, want what is wrong with it", words, err)
		}
		return
	}
	encoded, err := json.Marshal(parameters)
	if err != nil {
		t.Fatalf("%q: %v", words, err)
	}
	if m == nil || wire.Valid(encoded) != nil { // that is for the daemon to say
		return
	}
	call, err := m.Decode(wire.Value(encoded))
	var invalid *hal.InvalidParameter
	switch {
	case err == nil:
		call.Release()
	case !errors.As(err, &invalid):
		t.Errorf("%q: got %v", words, err)
	}
}

// typedCall reads words as a class's command does, or METHOD JSON, with the methods of one catalog.
func typedCall(words []string) (*hal.Method, any, error) {
	if len(words) > 1 && !strings.Contains(words[0], ".") {
		for _, m := range catalog.Methods() {
			if strings.EqualFold(m.Class, words[0]) && commandName(m.Name) == words[1] {
				parameters, err := parametersOf(m, words[2:])
				return m, parameters, err
			}
		}
		return nil, nil, nil
	}
	parameters, err := jsonArgument(words[1:])
	return catalog.Method([]byte(words[0])), parameters, err
}

// catalog is that of all classes.
var catalog = func() *hal.Catalog {
	cat, err := service.Describe(board.Drivers())
	if err != nil {
		panic(err)
	}
	return cat
}()

func FuzzWords(f *testing.F) {
	for _, s := range typedWords {
		f.Add(s)
	}
	f.Fuzz(checkWords)
}

func TestRandomWords(t *testing.T) {
	for text := range haltest.Inputs(5000, typedWords...) {
		checkWords(t, text)
	}
}

var auditLines = []string{
	denial(1000, "Led.Set", on("front", "back")), denial(1000, "Led.Set", beyond("front", "brightness", "200")), denial(61500, "Gpio.Set", on("relay-pump")+`"unit":"a.service",`), denial(65534, "Led.Get", on("front")), denial(61500, "Gpio.Set", on("relay-pump")+`"unit":"a.slice",`),
	denial(1000, "I2c.Transfer", beyond("i2c-1", "messages.address", "80")), denial(-1, "Policy.Status", ""), strings.Replace(denial(7, "Policy.Reload", ""), `"uid":7`, `"uid":4294967295`, 1), journalLine("0", "1000", `"HALBERD_DEVICES":"back front","HALBERD_UNCOVERED":"front",`),
	journalLine("0", "1000", `"HALBERD_PARAMETER":"brightness","HALBERD_VALUE":"200","HALBERD_DEVICES":"front","HALBERD_OMITTED":"3",`), journalLine("5", "1", ""), "{}", "null", "[]", `{"decision":"denied"}`, "x",
	denial(7, "Led.Set", on("front*")), denial(7, "Led.SetColor", on(`a\"b`)), `{"decision":1}`, `{"HALBERD_DECISION":"denied","_UID":0}`,
	denial(61500, "Gpio.Get", on("a", "a", "b")+`"unit":"\n.service","reason":"\u0000\u001b[2J\r\n\u2028",`), denial(1000, "Serial.Open", beyond("modem", "parity", "even\\u007f\\u2028\"\\")),
}

// checkRecords: whatever the records are, what is suggested is a policy that halberd check takes, also where nothing is commented out, and no wildcard is in it.
func checkRecords(t *testing.T, text string) {
	t.Helper()
	l := &lessons{catalog: catalog, learned: map[subject]*lesson{}, taken: map[string]bool{}, riddles: map[string]int{}}
	if readRecords(strings.NewReader(text), l) != nil {
		return
	}
	var b strings.Builder
	if err := (&program{stdout: &b, stderr: io.Discard}).printProposals(l); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	for _, printed := range []string{b.String(), uncommented(b.String())} {
		files, err := config.ParsePolicy(config.Options{Strict: true}, catalog, "suggested.toml", printed)
		if err != nil {
			t.Fatalf("%q: halberd check would say:\n%v\nof\n%s", text, err, printed)
		}
		for _, g := range files.Grants {
			if slices.ContainsFunc(g.Devices, func(p config.Pattern) bool { return strings.Contains(p.String(), "*") }) || slices.ContainsFunc(g.Methods, func(m string) bool { return strings.Contains(m, "*") }) || g.Verbs != nil {
				t.Fatalf("%q: a grant with a wildcard:\n%s", text, printed)
			}
		}
	}
}

// uncommented takes the # from before grants.
func uncommented(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		for _, key := range []string{"[[grant]]", "id ", "users ", "units ", "methods ", "devices ", "[grant", "where "} {
			if strings.HasPrefix(line, "# "+key) {
				line = line[2:]
			}
		}
		b.WriteString(line)
	}
	return b.String()
}

func FuzzRecords(f *testing.F) {
	for _, s := range auditLines {
		f.Add(s)
	}
	f.Add(strings.Join(auditLines[:9], "\n"))
	f.Fuzz(checkRecords)
}

func TestRandomRecords(t *testing.T) {
	for text := range haltest.Inputs(1000, append(auditLines, strings.Join(auditLines[:9], "\n"))...) {
		checkRecords(t, text)
	}
}
