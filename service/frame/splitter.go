package frame

import (
	"bytes"
	"errors"
	"slices"
)

// MaxRequest is the longest message taken in, in bytes, without a stream's NUL.
const MaxRequest = 64 << 10

// ErrTooLarge says that a message is longer than MaxRequest, or that its beginning is already.
var ErrTooLarge = errors.New("cannot take a message of more than 64 KiB")

// Splitter cuts a stream into messages, each of which ends with a NUL byte. The zero value is ready, and holds no memory while no message is
// unfinished.
//
// The caller pushes what it read, takes messages until there is none, and calls Keep before it reads into the same buffer again.
type Splitter struct {
	data    []byte // what was pushed and not dropped
	start   int    // of the first message that was not taken
	scanned int    // no NUL in data[start:scanned]
	owned   bool   // data is ours, not the caller's chunk
}

// Push adds bytes to the stream. The chunk is borrowed until Keep, unless an unfinished message is held: then it is copied to its end.
func (s *Splitter) Push(chunk []byte) {
	s.Keep()
	if !s.owned {
		*s = Splitter{data: chunk}
		return
	}
	if len(s.data)+len(chunk) > cap(s.data) {
		s.compact()
	}
	s.data = append(s.data, chunk...)
}

// Next takes the next message, without its NUL. It returns nil, nil where none is complete, an empty slice that is not nil for an empty message,
// and ErrTooLarge, from then on, for a message that is or grows too long. The message is valid until the next Push or Keep.
func (s *Splitter) Next() ([]byte, error) {
	length := bytes.IndexByte(s.data[s.scanned:], 0)
	if length < 0 {
		s.scanned = len(s.data)
		return nil, tooLarge(s.Len())
	}
	end := s.scanned + length
	if err := tooLarge(end - s.start); err != nil {
		return nil, err
	}
	msg := s.data[s.start:end:end]
	s.start = end + 1
	s.scanned = s.start
	return msg, nil
}

func tooLarge(length int) error {
	if length > MaxRequest {
		return ErrTooLarge
	}
	return nil
}

// Keep copies what was not taken out of the borrowed chunk, and frees the splitter's own memory where nothing is left.
func (s *Splitter) Keep() {
	switch {
	case s.Len() == 0:
		*s = Splitter{}
	case !s.owned:
		*s = Splitter{data: slices.Clone(s.data[s.start:]), scanned: s.scanned - s.start, owned: true}
	case s.start > len(s.data)/2: // not each time: a reader that takes one message a turn would move them all each turn
		s.compact()
	}
}

func (s *Splitter) compact() {
	s.data = s.data[:copy(s.data, s.data[s.start:])]
	s.scanned -= s.start
	s.start = 0
}

// Len is how many bytes are held back: unfinished, or not taken yet.
func (s *Splitter) Len() int { return len(s.data) - s.start }
