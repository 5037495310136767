package sim

import (
	"errors"
	"slices"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal/uapi"
)

// wire is an open adapter.
type wire struct {
	*testing.T
	k  *Kernel
	fd int
}

func newWire(t *testing.T, functions uint) *wire {
	k := New(Options{Bare: true})
	k.AddI2C(I2C{Functions: functions, Chips: []I2CChip{{Address: 0x48, Kind: "lm75", Driver: "lm75"}, {Address: 0x50, Kind: "24c02"}, {Address: 0x51, Kind: "24c32"}}})
	fd, err := k.Open("/dev/i2c-0", unix.O_RDWR)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.Close(fd) })
	return &wire{t, k, fd}
}

func (w *wire) combined(messages ...uapi.I2CMessage) error {
	d := &uapi.I2CRdwrData{Messages: unsafe.SliceData(messages), Count: uint32(len(messages))}
	return w.k.Ioctl(w.fd, uapi.I2CRdwr, unsafe.Pointer(d))
}

func writes(address uint16, b ...byte) uapi.I2CMessage {
	return uapi.I2CMessage{Addr: address, Len: uint16(len(b)), Buf: unsafe.SliceData(b)}
}

func reads(address uint16, b []byte) uapi.I2CMessage {
	m := writes(address, b...)
	m.Flags = uapi.I2CMessageRead
	return m
}

func (w *wire) smbus(read uint8, command byte, size uint32, data ...byte) (uapi.SMBusBuffer, error) {
	var buffer uapi.SMBusBuffer
	copy(buffer[:], data)
	d := &uapi.I2CSMBusData{ReadWrite: read, Command: command, Size: size, Data: &buffer}
	err := w.k.Ioctl(w.fd, uapi.I2CSMBus, unsafe.Pointer(d))
	return buffer, err
}

func TestI2CRequests(t *testing.T) {
	long := uapi.I2CMessage{Addr: 0x50, Len: 8193, Buf: new(byte)}
	tenBits := writes(0x50, 0)
	tenBits.Flags = 0x10
	for _, c := range []struct {
		name           string
		plain, onSMBus error
		messages       []uapi.I2CMessage
	}{
		{"none", unix.EINVAL, unix.EINVAL, nil},
		{"one", nil, unix.EOPNOTSUPP, []uapi.I2CMessage{writes(0x50, 0)}},
		{"as many as there may be", nil, unix.EOPNOTSUPP, slices.Repeat([]uapi.I2CMessage{writes(0x50, 0)}, 42)},
		{"more", unix.EINVAL, unix.EINVAL, slices.Repeat([]uapi.I2CMessage{writes(0x50, 0)}, 43)},
		{"too long", unix.EINVAL, unix.EOPNOTSUPP, []uapi.I2CMessage{long}},
		{"ten bits", unix.EINVAL, unix.EOPNOTSUPP, []uapi.I2CMessage{tenBits}},
		{"nobody", unix.ENXIO, unix.EOPNOTSUPP, []uapi.I2CMessage{writes(0x50, 0), writes(0x52, 0)}},
		{"a driver's, which it does not ask", nil, unix.EOPNOTSUPP, []uapi.I2CMessage{writes(0x48, 0)}},
	} {
		if got := newWire(t, 0).combined(c.messages...); got != c.plain {
			t.Errorf("%s: got %v, want %v", c.name, got, c.plain)
		}
		if got := newWire(t, SMBusI2C).combined(c.messages...); got != c.onSMBus {
			t.Errorf("%s on SMBus: got %v, want %v", c.name, got, c.onSMBus)
		}
	}
}

func TestI2CAddress(t *testing.T) {
	w := newWire(t, 0)
	for _, c := range []struct {
		name     string
		request  uint
		argument int
		want     error
	}{
		{"free", uapi.I2CSlave, 0x50, nil}, {"nobody's", uapi.I2CSlave, 0x20, nil}, {"a driver's", uapi.I2CSlave, 0x48, unix.EBUSY},
		{"a driver's all the same", uapi.I2CSlaveForce, 0x48, nil}, {"ten bits", uapi.I2CSlave, 0x80, unix.EINVAL}, {"I2C_TENBIT", 0x0704, 1, unix.ENOTTY},
	} {
		if got := w.k.IoctlInt(w.fd, c.request, c.argument); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
	if got := w.k.Ioctl(w.fd, 0x1234, unsafe.Pointer(new(int))); got != unix.ENOTTY {
		t.Errorf("an unknown request: got %v, want ENOTTY", got)
	}
	gpio := New(Options{})
	fd, err := gpio.Open("/dev/gpiochip0", unix.O_RDWR)
	if err != nil {
		t.Fatal(err)
	}
	defer gpio.Close(fd)
	if got := gpio.IoctlInt(fd, uapi.I2CSlave, 0x50); got != unix.ENOTTY {
		t.Errorf("an address of a GPIO chip: got %v, want ENOTTY", got)
	}
}

// TestSMBus: each kind of transfer is what plain I2C would be, on an adapter of either kind, and refused where the adapter has it not.
func TestSMBus(t *testing.T) {
	const r, wr = uapi.SMBusRead, uapi.SMBusWrite
	for _, c := range []struct {
		name      string
		direction uint8
		size      uint32
		in        []byte
		want      []byte
		err, less error // less: on an adapter without blocks
	}{
		{"quick", wr, uapi.SMBusQuick, nil, nil, nil, nil},
		{"write byte", wr, uapi.SMBusByte, nil, nil, nil, nil},
		{"read byte", r, uapi.SMBusByte, nil, []byte{1}, nil, nil},
		{"read byte data", r, uapi.SMBusByteData, nil, []byte{3}, nil, nil},
		{"read word data", r, uapi.SMBusWordData, nil, []byte{3, 4}, nil, nil},
		{"read block", r, uapi.SMBusI2CBlock, []byte{3}, []byte{3, 3, 4, 0xff}, nil, unix.EOPNOTSUPP},
		{"write byte data", wr, uapi.SMBusByteData, []byte{9}, nil, nil, nil},
		{"write word data", wr, uapi.SMBusWordData, []byte{9, 8}, nil, nil, nil},
		{"write block", wr, uapi.SMBusI2CBlock, []byte{3, 9, 8, 7}, nil, nil, unix.EOPNOTSUPP},
		{"empty block", wr, uapi.SMBusI2CBlock, []byte{0}, nil, unix.EINVAL, unix.EOPNOTSUPP},
		{"long block", r, uapi.SMBusI2CBlock, []byte{33}, nil, unix.EINVAL, unix.EOPNOTSUPP},
		{"process call", r, 4, nil, nil, unix.EOPNOTSUPP, unix.EOPNOTSUPP},
		{"no such kind", r, 9, nil, nil, unix.EINVAL, unix.EINVAL},
		{"no such direction", 2, uapi.SMBusByte, nil, nil, unix.EINVAL, unix.EINVAL},
	} {
		for functions, want := range map[uint]error{PlainI2C: c.err, SMBusI2C: c.err, SMBusOnly: c.less} {
			w := newWire(t, functions)
			if err := w.k.IoctlInt(w.fd, uapi.I2CSlave, 0x50); err != nil {
				t.Fatal(err)
			}
			for i := range byte(4) {
				_, err := w.smbus(wr, i, uapi.SMBusByteData, i+1)
				if err != nil {
					t.Fatal(err)
				}
			}
			if _, err := w.smbus(wr, 0, uapi.SMBusByte); err != nil {
				t.Fatal(err)
			}
			got, err := w.smbus(c.direction, 2, c.size, c.in...)
			if err != want || err == nil && c.want != nil && !slices.Equal(got[:len(c.want)], c.want) {
				t.Errorf("%s with %#x: got %v, %v; want %v, %v", c.name, functions, got[:4], err, c.want, want)
			}
		}
	}
}

// TestEEPROMs: what is written beyond a page goes on at its beginning, what is read beyond the end at the beginning of all.
func TestEEPROMs(t *testing.T) {
	w := newWire(t, 0)
	room := make([]byte, 4)
	for _, c := range []struct {
		name     string
		messages []uapi.I2CMessage
		want     []byte
	}{
		{"small: over the page", []uapi.I2CMessage{writes(0x50, 6, 1, 2, 3), writes(0x50, 6), reads(0x50, room)}, []byte{1, 2, 0xff, 0xff}},
		{"small: what went round", []uapi.I2CMessage{writes(0x50, 0), reads(0x50, room)}, []byte{3, 0xff, 0xff, 0xff}},
		{"small: over the end", []uapi.I2CMessage{writes(0x50, 0xff), reads(0x50, room)}, []byte{0xff, 3, 0xff, 0xff}},
		{"big: over the page", []uapi.I2CMessage{writes(0x51, 0x0f, 0xff, 1, 2), writes(0x51, 0x0f, 0xfe), reads(0x51, room)}, []byte{0xff, 1, 0xff, 0xff}},
		{"big: what went round", []uapi.I2CMessage{writes(0x51, 0x0f, 0xe0), reads(0x51, room)}, []byte{2, 0xff, 0xff, 0xff}},
		{"big: half an address moves nothing", []uapi.I2CMessage{writes(0x51, 0x0f, 0xe0), writes(0x51, 0), reads(0x51, room)}, []byte{2, 0xff, 0xff, 0xff}},
		{"sensor: read-only", []uapi.I2CMessage{writes(0x48, 0, 0x7f, 0), writes(0x48, 0), reads(0x48, room)}, []byte{0x19, 0x80, 0x19, 0x80}},
		{"sensor: a limit", []uapi.I2CMessage{writes(0x48, 3, 0x33, 0x80), writes(0x48, 7), reads(0x48, room)}, []byte{0x33, 0x80, 0x33, 0x80}},
	} {
		if err := w.combined(c.messages...); err != nil || !slices.Equal(room, c.want) {
			t.Errorf("%s: got %v, %v; want %v", c.name, room, err, c.want)
		}
	}
}

// TestI2CReadAndWrite: the device node itself takes one message.
func TestI2CReadAndWrite(t *testing.T) {
	w := newWire(t, 0)
	if err := w.k.IoctlInt(w.fd, uapi.I2CSlave, 0x50); err != nil {
		t.Fatal(err)
	}
	if n, err := w.k.Write(w.fd, []byte{4, 5}); n != 2 || err != nil {
		t.Errorf("write: got %d, %v", n, err)
	}
	if _, err := w.k.Write(w.fd, []byte{4}); err != nil {
		t.Error(err)
	}
	p := make([]byte, 2)
	if n, err := w.k.Read(w.fd, p); n != 2 || err != nil || p[0] != 5 || p[1] != 0xff {
		t.Errorf("read: got %d, %v, %v", n, p, err)
	}
}

// TestUnplugI2C: the adapter, what is on it and what is open of it go together, and both devices are told of.
func TestUnplugI2C(t *testing.T) {
	w := newWire(t, 0)
	events, err := w.k.Uevents()
	if err != nil {
		t.Fatal(err)
	}
	defer w.k.Close(events)
	w.k.Unplug("i2c-0")
	for _, path := range []string{"/sys/class/i2c-dev", "/sys/bus/i2c/devices", "/dev", "/sys/devices/platform/halberd-sim"} {
		if names, _ := w.k.ReadDir(path); len(names) > 0 && !slices.Equal(names, []string{"subsystem"}) {
			t.Errorf("%s has %v", path, names)
		}
	}
	if got := w.combined(writes(0x50, 0)); got != unix.ENODEV {
		t.Errorf("got %v, want ENODEV", got)
	}
	var got []string
	for p := make([]byte, 4096); ; {
		n, err := w.k.Uevent(events, p)
		if err != nil {
			break
		}
		text, _, _ := slicesCut(p[:n])
		got = append(got, text)
	}
	want := []string{"remove@/devices/platform/halberd-sim/i2c-0/i2c-dev/i2c-0", "remove@/devices/platform/halberd-sim/i2c-0"}
	if !slices.Equal(got, want) {
		t.Errorf("told of %q, want %q", got, want)
	}
}

// slicesCut gives a message up to its first NUL.
func slicesCut(p []byte) (before string, after []byte, found bool) {
	i := slices.Index(p, 0)
	if i < 0 {
		return string(p), nil, false
	}
	return string(p[:i]), p[i+1:], true
}

// TestHang: a transfer on a bus that hangs waits, and nothing else does.
func TestHang(t *testing.T) {
	w := newWire(t, 0)
	w.k.AddI2C(I2C{Chips: []I2CChip{{Address: 0x50, Kind: "24c02"}}})
	w.k.Hang("i2c-0")
	done := make(chan error)
	go func() { done <- w.combined(writes(0x50, 0)) }()
	for w.k.Waiting() == 0 {
		select {
		case err := <-done:
			t.Fatalf("it does not hang: %v", err)
		default:
		}
	}
	other := &wire{T: t, k: w.k}
	var err error
	if other.fd, err = w.k.Open("/dev/i2c-1", unix.O_RDWR); err != nil {
		t.Fatal(err)
	}
	defer w.k.Close(other.fd)
	if err := other.combined(writes(0x50, 0)); err != nil {
		t.Errorf("another bus: %v", err)
	}
	w.k.FailBus("i2c-0", unix.EIO)
	w.k.Resume("i2c-0")
	if err := <-done; !errors.Is(err, unix.EIO) {
		t.Errorf("resumed: got %v, want EIO", err)
	}
}
