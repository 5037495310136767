package wire_test

import (
	"testing"

	"github.com/halberd-io/halberd/hal/wire"
)

var call = []byte(`{"method":"io.halberd.Led.Set","parameters":{"led":"front","brightness":128}}`)

// readCall reads a typical call as dispatch does: the envelope, then the parameters.
func readCall(room []wire.Member) (brightness int64, err error) {
	if err := wire.Valid(call); err != nil {
		return 0, err
	}
	envelope, err := wire.Members(room[:0:4], wire.Trim(call))
	if err != nil {
		return 0, err
	}
	parameters, err := wire.Members(room[4:4:8], envelope[1].Value)
	if err != nil {
		return 0, err
	}
	return parameters[1].Value.Int()
}

func TestReadingACallAllocatesNothing(t *testing.T) {
	room := make([]wire.Member, 8)
	n := testing.AllocsPerRun(100, func() {
		if got, err := readCall(room); got != 128 || err != nil {
			t.Fatalf("brightness = %d, %v, want 128, nil", got, err)
		}
	})
	if n != 0 {
		t.Errorf("reading a call made %v allocations, want 0", n)
	}
}

func TestWritingAReplyAllocatesNothing(t *testing.T) {
	room := make([]byte, 0, 256)
	blob := []byte{1, 2, 3}
	n := testing.AllocsPerRun(100, func() {
		dst := wire.AppendString(wire.AppendKey(append(room, '{'), "led"), "grün\n")
		dst = wire.AppendInt(wire.AppendKey(dst, "brightness"), 128)
		dst = wire.AppendBytes(wire.AppendKey(dst, "data"), blob)
		dst = wire.AppendBool(wire.AppendKey(dst, "on"), true)
		if len(dst) > cap(room) {
			t.Fatalf("the reply has %d bytes, want at most %d", len(dst), cap(room))
		}
	})
	if n != 0 {
		t.Errorf("writing a reply made %v allocations, want 0", n)
	}
}

func BenchmarkReadCall(b *testing.B) {
	room := make([]wire.Member, 8)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := readCall(room); err != nil {
			b.Fatal(err)
		}
	}
}
