//go:build boot

package boottest

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal/uapi"
)

// keyUser is the code of the board's key, KEY_PROG1.
const keyUser = 148

// inputEvent is what io.halberd.Input.Watch tells.
type inputEvent struct {
	Device         string
	Keys, Switches []int
	Type           string
	Code, Value    int
	TimestampNSec  int64
}

// TestInputOfGPIOKeys: a key of gpio-keys, whose line is pulled: watched, with the state first and times of CLOCK_MONOTONIC.
func TestInputOfGPIOKeys(t *testing.T) {
	pull := line(t, "2") + "/pull"
	write(t, pull, "pull-down")
	t.Cleanup(func() { write(t, pull, "pull-down") })
	refused(t, app, "PermissionDenied", "call", "io.halberd.Input.Watch", `{"devices":["keys"]}`)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	events := make(chan inputEvent, 16)
	c := dial(t, "stream:@halberd")
	go func() {
		defer close(events)
		_ = c.More(ctx, "io.halberd.Input.Watch", map[string]any{"devices": []string{"keys"}}, func(raw json.RawMessage) error {
			var e inputEvent
			err := json.Unmarshal(raw, &e)
			events <- e
			return err
		})
	}()
	if first := <-events; first.Device != "keys" || len(first.Keys) > 0 || first.Type != "" {
		t.Fatalf("the state is %+v, want keys, with nothing down", first)
	}
	for _, step := range []struct {
		pull  string
		value int
		keys  []int
	}{{"pull-up", 1, []int{keyUser}}, {"pull-down", 0, []int{}}, {"pull-up", 1, []int{keyUser}}} {
		before := monotonic(t)
		write(t, pull, step.pull)
		got, ok := <-events
		if !ok || got.Type != "key" || got.Code != keyUser || got.Value != step.value || !slices.Equal(got.Keys, step.keys) {
			t.Fatalf("%s: got %+v, %v, want the key to be %d", step.pull, got, ok, step.value)
		}
		if after := monotonic(t); got.TimestampNSec < before-1000 || got.TimestampNSec > after {
			t.Errorf("%s: the time is %d, want one from %d to %d", step.pull, got.TimestampNSec, before, after)
		}
	}
}

// TestInputLease: the holder reads the kernel's own events, cannot press keys for others, and has nothing any more once its connection has ended.
func TestInputLease(t *testing.T) {
	pull := line(t, "2") + "/pull"
	write(t, pull, "pull-down")
	t.Cleanup(func() { write(t, pull, "pull-down") })
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c := dial(t, "stream:@halberd")
	files, err := c.CallFDs(ctx, "io.halberd.Input.Lease", map[string]any{"device": "keys"}, nil)
	if err != nil || len(files) != 1 {
		t.Fatalf("got %d descriptors, %v", len(files), err)
	}
	f := files[0]
	defer f.Close()
	write(t, pull, "pull-up")
	if e := readKey(t, f); e.Code != keyUser || e.Value != 1 {
		t.Errorf("got %+v, want key %d pressed", e, keyUser)
	}
	if _, err := f.Write(make([]byte, uapi.InputEventSize)); !errors.Is(err, unix.EBADF) {
		t.Errorf("writing to the lease gives %v, want EBADF", err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the descriptor is revoked", func() bool {
		_, err := f.Read(make([]byte, uapi.InputEventSize))
		return errors.Is(err, unix.ENODEV)
	})
}

// readKey reads up to the next event of a key.
func readKey(t testing.TB, f *os.File) (e uapi.InputEvent) {
	t.Helper()
	if err := f.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	for e.Type != uapi.InputKey {
		raw := make([]byte, uapi.InputEventSize)
		if n, err := f.Read(raw); err != nil || n != len(raw) {
			t.Fatalf("got %d bytes (%v), want an event of %d", n, err, len(raw))
		}
		e.Type, e.Code = binary.NativeEndian.Uint16(raw[unsafe.Offsetof(e.Type):]), binary.NativeEndian.Uint16(raw[unsafe.Offsetof(e.Code):])
		e.Value = int32(binary.NativeEndian.Uint32(raw[unsafe.Offsetof(e.Value):]))
	}
	return e
}
