package frame

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/halberd-io/halberd/hal/haltest"
)

// chunks are what a test pushes, one read each; want is what comes out after each.
type read struct {
	chunk string
	want  []string
	held  int // Len at the end
}

func TestSplitter(t *testing.T) {
	big := strings.Repeat("a", MaxRequest)
	tests := []struct {
		name  string
		reads []read
	}{
		{"one message", []read{{"hello\x00", []string{"hello"}, 0}}},
		{"several", []read{{"a\x00bc\x00d\x00", []string{"a", "bc", "d"}, 0}}},
		{"an empty one", []read{{"\x00", []string{""}, 0}}},
		{"empty ones between", []read{{"\x00a\x00\x00\x00", []string{"", "a", "", ""}, 0}}},
		{"nothing", []read{{"", nil, 0}}},
		{"unfinished", []read{{"ab", nil, 2}, {"c", nil, 3}, {"\x00", []string{"abc"}, 0}}},
		{"one and a half", []read{{"a\x00b", []string{"a"}, 1}, {"c\x00d", []string{"bc"}, 1}, {"\x00", []string{"d"}, 0}}},
		{"NUL alone in a read", []read{{"a", nil, 1}, {"\x00\x00", []string{"a", ""}, 0}}},
		{"the longest", []read{{big + "\x00", []string{big}, 0}}},
		{"the longest in two", []read{{big, nil, MaxRequest}, {"\x00b\x00", []string{big, "b"}, 0}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var s Splitter
			for i, r := range test.reads {
				got := take(t, &s, r.chunk)
				if !slices.Equal(got, r.want) {
					t.Errorf("read %d: got %q, want %q", i, got, r.want)
				}
				if got := s.Len(); got != r.held {
					t.Errorf("read %d: bytes held: got %d, want %d", i, got, r.held)
				}
			}
		})
	}
}

// take pushes a chunk, takes all messages, and overwrites the chunk as the next read would.
func take(t *testing.T, s *Splitter, chunk string) []string {
	t.Helper()
	borrowed := []byte(chunk)
	s.Push(borrowed)
	got, err := drain(s)
	if err != nil {
		t.Fatal(err)
	}
	s.Keep()
	clear(borrowed)
	return got
}

func drain(s *Splitter) (got []string, err error) {
	for {
		msg, err := s.Next()
		if msg == nil {
			return got, err
		}
		got = append(got, string(msg))
	}
}

func TestSplitterTooLarge(t *testing.T) {
	big := bytes.Repeat([]byte("a"), MaxRequest+1)
	tests := []struct {
		name   string
		chunks [][]byte
		want   []string
	}{
		{"finished", [][]byte{append(bytes.Clone(big), 0)}, nil},
		{"unfinished", [][]byte{big}, nil},
		{"in two", [][]byte{big[1:], big[:1]}, nil},
		{"after another", [][]byte{append([]byte("ok\x00"), big...)}, []string{"ok"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var s Splitter
			var got []string
			var err error
			for _, chunk := range test.chunks {
				if err != nil {
					t.Fatalf("got %v before the last chunk", err)
				}
				s.Push(chunk)
				var more []string
				more, err = drain(&s)
				got = append(got, more...)
				s.Keep()
			}
			if !errors.Is(err, ErrTooLarge) || !slices.Equal(got, test.want) {
				t.Errorf("got %q and %v, want %q and ErrTooLarge", got, err, test.want)
			}
			s.Push([]byte("\x00after\x00"))
			if msg, err := s.Next(); msg != nil || !errors.Is(err, ErrTooLarge) {
				t.Errorf("later: got %q and %v, want ErrTooLarge for good", msg, err)
			}
		})
	}
}

// A reader may leave messages for later; they are not lost, nor moved each time.
func TestSplitterKeepsWhatWasNotTaken(t *testing.T) {
	var s Splitter
	chunk := []byte("a\x00b\x00c\x00d")
	s.Push(chunk)
	for i, want := range []string{"a", "b", "c"} {
		msg, err := s.Next()
		if err != nil || string(msg) != want {
			t.Fatalf("message %d: got %q (%v), want %q", i, msg, err, want)
		}
		s.Keep()
		clear(chunk)
	}
	if got := take(t, &s, "\x00"); !slices.Equal(got, []string{"d"}) {
		t.Errorf("got %q, want d", got)
	}
}

// Push without Keep before it must not lose or change what is left of the last chunk.
func TestSplitterPushKeepsByItself(t *testing.T) {
	var s Splitter
	s.Push([]byte("ab"))
	s.Push([]byte("c\x00"))
	if got, err := drain(&s); err != nil || !slices.Equal(got, []string{"abc"}) {
		t.Errorf("got %q (%v), want abc", got, err)
	}
}

func TestSplitterHoldsNoMemoryWhenEmpty(t *testing.T) {
	var s Splitter
	take(t, &s, strings.Repeat("a", 1000))
	if cap(s.data) < 1000 {
		t.Fatalf("an unfinished message of 1000 bytes is held in %d", cap(s.data))
	}
	take(t, &s, "\x00")
	if s.data != nil {
		t.Errorf("memory held by an empty splitter: got %d bytes, want none", cap(s.data))
	}
}

func TestSplitterDoesNotAllocate(t *testing.T) {
	chunk := []byte("hello\x00world\x00")
	var s Splitter
	got := testing.AllocsPerRun(100, func() {
		s.Push(chunk)
		for msg, _ := s.Next(); msg != nil; msg, _ = s.Next() {
		}
		s.Keep()
	})
	if got != 0 {
		t.Errorf("allocations per read of whole messages: got %v, want 0", got)
	}
}

// split is the naive model: the whole stream at once.
func split(stream []byte) (want []string, tooLarge bool) {
	for {
		msg, rest, found := bytes.Cut(stream, []byte{0})
		if len(msg) > MaxRequest {
			return want, true
		}
		if !found {
			return want, false
		}
		want = append(want, string(msg))
		stream = rest
	}
}

// inflate lets a short input make a long message: every byte 255 becomes 20,000.
func inflate(input []byte) []byte {
	return bytes.ReplaceAll(input, []byte{255}, bytes.Repeat([]byte{255}, 20000))
}

// checkSplitter pushes a stream in arbitrary chunks and takes an arbitrary number of messages after each, and gets what the naive model gets.
func checkSplitter(t *testing.T, input, steps []byte) {
	stream := inflate(input)
	want, tooLarge := split(stream)
	got, err := splitInSteps(stream, steps)
	if !slices.Equal(got, want) {
		t.Errorf("got %d messages, want %d: %s", len(got), len(want), firstDifference(got, want))
	}
	if errors.Is(err, ErrTooLarge) != tooLarge {
		t.Errorf("got error %v, want too large: %v", err, tooLarge)
	}
}

func FuzzSplitter(f *testing.F) {
	f.Add([]byte("a\x00bc\x00\x00d"), []byte{1, 2, 3})
	f.Add([]byte("\xff\xff\xff\x00\xff\xff\xff\xff\x00a\x00"), []byte{200, 255, 7, 0})
	f.Add([]byte("abc\x00abc\x00abc\x00abc\x00abc"), []byte{0x13, 0x11, 0x22, 0})
	f.Fuzz(checkSplitter)
}

// splitInSteps reads by a buffer that is used again, as the server does. A step says how much is read and how many messages are taken; the last one
// counts for all that follow, and at the end everything is taken.
func splitInSteps(stream, steps []byte) (got []string, err error) {
	var s Splitter
	step := byte(1)
	buffer := make([]byte, 1<<15)
	for len(stream) > 0 && err == nil {
		if len(steps) > 0 {
			step, steps = steps[0], steps[1:]
		}
		n := copy(buffer[:(int(step)*int(step))/2+1], stream)
		stream = stream[n:]
		s.Push(buffer[:n])
		got, err = takeSome(&s, got, int(step%4))
		s.Keep()
		clear(buffer[:n])
	}
	if err != nil {
		return got, err
	}
	rest, err := drain(&s)
	return append(got, rest...), err
}

func takeSome(s *Splitter, got []string, most int) ([]string, error) {
	for range most {
		msg, err := s.Next()
		if msg == nil {
			return got, err
		}
		got = append(got, string(msg))
	}
	return got, nil
}

func firstDifference(got, want []string) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Sprintf("message %d: got %.40q, want %.40q", i, got[i], want[i])
		}
	}
	return "one is a prefix of the other"
}

func TestRandomStreams(t *testing.T) {
	steps := []byte{1, 2, 3, 200, 255, 7, 0, 0x13, 0x11, 0x22}
	for input := range haltest.Inputs(2000, "a\x00bc\x00\x00d", "\xff\xff\xff\x00\xff\xff\xff\xff\x00a\x00", "abc\x00abc\x00abc\x00abc\x00abc", "\xff\xff\xff\xff", "\xff\xff\xff"+strings.Repeat("x", 5536)+"\x00y") {
		checkSplitter(t, []byte(input), steps[len(input)%len(steps):])
	}
}
