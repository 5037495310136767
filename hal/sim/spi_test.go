package sim

import (
	"runtime"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal/uapi"
)

func newSPI(t *testing.T) (k *Kernel, fd int) {
	t.Helper()
	k = New(Options{Bare: true})
	k.AddSPI(SPI{Mode: uapi.SPICSHigh})
	fd, err := k.Open("/dev/spidev0.0", unix.O_RDWR)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.Close(fd) })
	return k, fd
}

func TestSPISettings(t *testing.T) {
	k, fd := newSPI(t)
	for _, c := range []struct {
		name      string
		set, get  uint
		value     uint32
		want      error
		then      uint32
		eightBits bool
	}{
		{"mode", uapi.SPIWrMode32, uapi.SPIRdMode32, uapi.SPICPHA, nil, uapi.SPICPHA, false},
		{"mode that the controller has not", uapi.SPIWrMode32, uapi.SPIRdMode32, uapi.SPI3Wire, unix.EINVAL, uapi.SPICPHA, false},
		{"mode that there is not", uapi.SPIWrMode32, uapi.SPIRdMode32, 1 << 30, unix.EINVAL, uapi.SPICPHA, false},
		{"bits", uapi.SPIWrBitsPerWord, uapi.SPIRdBitsPerWord, 16, nil, 16, true},
		{"bits that the controller has not", uapi.SPIWrBitsPerWord, uapi.SPIRdBitsPerWord, 9, unix.EINVAL, 16, true},
		{"no bits are eight", uapi.SPIWrBitsPerWord, uapi.SPIRdBitsPerWord, 0, nil, 8, true},
		{"speed", uapi.SPIWrMaxSpeedHz, uapi.SPIRdMaxSpeedHz, 5000, nil, 5000, false},
		{"no speed", uapi.SPIWrMaxSpeedHz, uapi.SPIRdMaxSpeedHz, 0, unix.EINVAL, 5000, false},
		{"speed beyond the controller's", uapi.SPIWrMaxSpeedHz, uapi.SPIRdMaxSpeedHz, 1 << 31, nil, 1 << 31, false},
	} {
		value := c.value
		if got := k.Ioctl(fd, c.set, unsafe.Pointer(&value)); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
		var now uint32
		if err := k.Ioctl(fd, c.get, unsafe.Pointer(&now)); err != nil || now != c.then {
			t.Errorf("%s: is %d, %v, want %d", c.name, now, err, c.then)
		}
	}
	if err := k.Ioctl(fd, uapi.I2CRdwr, unsafe.Pointer(new(uint32))); err != unix.ENOTTY {
		t.Errorf("a request of I2C: got %v, want ENOTTY", err)
	}
	if err := k.Ioctl(fd, uapi.SPIMessage(0)|2<<30, unsafe.Pointer(new(uint32))); err != unix.ENOTTY {
		t.Errorf("a message that reads: got %v, want ENOTTY", err)
	}
}

// TestSPISpeedEnds: the speed is spidev's, and gone when nobody has the device open any more; mode and bits are the device's.
func TestSPISpeedEnds(t *testing.T) {
	k, fd := newSPI(t)
	speed, mode := uint32(5000), uint32(0)
	for request, value := range map[uint]*uint32{uapi.SPIWrMaxSpeedHz: &speed, uapi.SPIWrMode32: &mode} {
		if err := k.Ioctl(fd, request, unsafe.Pointer(value)); err != nil {
			t.Fatal(err)
		}
	}
	reopen := func() int {
		fd, err := k.Open("/dev/spidev0.0", unix.O_RDWR)
		if err != nil {
			t.Fatal(err)
		}
		return fd
	}
	second := reopen()
	k.Close(fd)
	if err := k.Ioctl(second, uapi.SPIRdMaxSpeedHz, unsafe.Pointer(&speed)); err != nil || speed != 5000 {
		t.Errorf("while it is open: %d Hz, %v, want 5000", speed, err)
	}
	k.Close(second)
	third := reopen()
	defer k.Close(third)
	mode = 99
	if err := k.Ioctl(third, uapi.SPIRdMaxSpeedHz, unsafe.Pointer(&speed)); err != nil || speed != 10_000_000 {
		t.Errorf("opened again: %d Hz, %v, want 10000000", speed, err)
	}
	if err := k.Ioctl(third, uapi.SPIRdMode32, unsafe.Pointer(&mode)); err != nil || mode != 0 {
		t.Errorf("opened again: mode %d, %v, want 0", mode, err)
	}
}

func TestSPIMessages(t *testing.T) {
	k, fd := newSPI(t)
	tx, rx := make([]byte, 4096), make([]byte, 4096)
	copy(tx, "hello")
	var pins runtime.Pinner
	defer pins.Unpin()
	pins.Pin(&tx[0])
	pins.Pin(&rx[0])
	from, to := uint64(uintptr(unsafe.Pointer(&tx[0]))), uint64(uintptr(unsafe.Pointer(&rx[0])))
	small := uapi.SPITransfer{TxBuf: from, RxBuf: to, Len: 5}
	many := make([]uapi.SPITransfer, 33)
	for i := range many {
		many[i] = small
	}
	for _, c := range []struct {
		name      string
		transfers []uapi.SPITransfer
		want      error
		received  string
	}{
		{"both ways", []uapi.SPITransfer{small}, nil, "hello"},
		{"only reading sends zeros", []uapi.SPITransfer{{RxBuf: to, Len: 5}}, nil, "\x00\x00\x00\x00\x00"},
		{"only writing", []uapi.SPITransfer{{TxBuf: from, Len: 5}}, nil, "....."},
		{"all the buffer", []uapi.SPITransfer{{TxBuf: from, RxBuf: to, Len: 4096}}, nil, "hello"},
		{"more", []uapi.SPITransfer{{TxBuf: from, Len: 4096}, small}, unix.EMSGSIZE, "....."},
		{"many small ones", many, unix.EMSGSIZE, "....."},
		{"as many as there is room for", many[:32], nil, "hello"},
		{"half a word", []uapi.SPITransfer{{TxBuf: from, RxBuf: to, Len: 5, BitsPerWord: 16}}, unix.EINVAL, "....."},
		{"bits that the controller has not", []uapi.SPITransfer{{TxBuf: from, RxBuf: to, Len: 4, BitsPerWord: 9}}, unix.EINVAL, "....."},
		{"too slow", []uapi.SPITransfer{{TxBuf: from, RxBuf: to, Len: 4, SpeedHz: 10}}, unix.EINVAL, "....."},
	} {
		copy(rx, ".....")
		err := k.Ioctl(fd, uapi.SPIMessage(len(c.transfers)), unsafe.Pointer(&c.transfers[0]))
		if err != c.want || string(rx[:5]) != c.received {
			t.Errorf("%s: got %q, %v; want %q, %v", c.name, rx[:5], err, c.received, c.want)
		}
	}
	if err := k.Ioctl(fd, uapi.SPIMessage(1)+1<<16, unsafe.Pointer(&many[0])); err != unix.EINVAL {
		t.Errorf("a transfer and a bit: got %v, want EINVAL", err)
	}
	if err := k.Ioctl(fd, uapi.SPIMessage(0), unsafe.Pointer(&many[0])); err != nil {
		t.Errorf("no transfer: got %v, want nil", err)
	}
	k.Unplug("spidev0.0")
	if err := k.Ioctl(fd, uapi.SPIMessage(1), unsafe.Pointer(&many[0])); err != unix.ESHUTDOWN {
		t.Errorf("unplugged: got %v, want ESHUTDOWN", err)
	}
}

// TestSPINode: reading and writing the node itself is half of a transfer.
func TestSPINode(t *testing.T) {
	k, fd := newSPI(t)
	if n, err := k.Write(fd, []byte("hello")); n != 5 || err != nil {
		t.Errorf("write: got %d, %v", n, err)
	}
	p := []byte("hello")
	if n, err := k.Read(fd, p); n != 5 || err != nil || string(p) != "\x00\x00\x00\x00\x00" {
		t.Errorf("read: got %d, %q, %v", n, p, err)
	}
	if _, err := k.Write(fd, make([]byte, 4097)); err != unix.EMSGSIZE {
		t.Errorf("a long write: got %v, want EMSGSIZE", err)
	}
	if got := k.Selects("spidev0.0"); got != 2 {
		t.Errorf("selected %d times, want 2", got)
	}
	if _, err := k.Pass(fd); err != unix.EOPNOTSUPP {
		t.Errorf("pass: got %v, want EOPNOTSUPP", err)
	}
}
