package haltest

import (
	"slices"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
)

var (
	_ hal.Kernel = (*Recorder)(nil)
	_ hal.Kernel = (*Faulty)(nil)
)

// session makes each call of hal.Kernel once and gives what they answered.
func session(k hal.Kernel) (errs []error) {
	p := make([]byte, 8)
	fd, err := k.Open("/sys/lamps/hall", unix.O_RDWR)
	errs = append(errs, err)
	_, err = k.Read(fd, p)
	errs = append(errs, err)
	_, err = k.Pread(fd, p, 0)
	errs = append(errs, err)
	_, err = k.Pwrite(fd, []byte("12"), 0)
	errs = append(errs, err)
	_, err = k.Write(fd, []byte("12"))
	errs = append(errs, err)
	_, err = k.Pass(fd)
	errs = append(errs, err, k.Ioctl(fd, 0xc004b407, nil), k.IoctlInt(fd, 0x0703, 8))
	_, err = k.ReadDir("/sys/lamps")
	errs = append(errs, err)
	_, err = k.Readlink("/sys/lamps/hall")
	return append(errs, err, k.Close(fd))
}

var sessionOps = []Op{Open, Read, Pread, Pwrite, Write, Pass, Ioctl, Ioctl, ReadDir, Readlink, Close}

// What the fake answers to the session.
var sessionErrs = []error{nil, nil, nil, nil, nil, syscall.EOPNOTSUPP, syscall.ENOTTY, syscall.ENOTTY, nil, syscall.EINVAL, nil}

func TestRecord(t *testing.T) {
	k := newFake()
	r := Record(k)
	if got := session(r); !slices.Equal(got, sessionErrs) {
		t.Errorf("the session answers %v, want %v as without the recorder", got, sessionErrs)
	}
	want := []string{
		"open /sys/lamps/hall flags 0x2", "read /sys/lamps/hall", "pread /sys/lamps/hall", `pwrite /sys/lamps/hall "12"`, `write /sys/lamps/hall "12"`,
		"pass /sys/lamps/hall: operation not supported",
		"ioctl /sys/lamps/hall 0xc004b407: inappropriate ioctl for device", "ioctl /sys/lamps/hall 0x703: inappropriate ioctl for device", "readdir /sys/lamps", "readlink /sys/lamps/hall: invalid argument", "close /sys/lamps/hall",
	}
	if got := lines(r.Calls()); !slices.Equal(got, want) {
		t.Errorf("recorded\n%q, want\n%q", got, want)
	}
	if got, want := lines(r.Written()), []string{want[0], want[3], want[4], want[6], want[7]}; !slices.Equal(got, want) {
		t.Errorf("written\n%q, want\n%q", got, want)
	}
	if got := r.Left(); len(got) != 0 {
		t.Errorf("left %q, want nothing", got)
	}
	r.Reset()
	if got := r.Calls(); len(got) != 0 {
		t.Errorf("after Reset there are %q, want none", lines(got))
	}
	if k.files["/sys/lamps/hall"] != "12" {
		t.Errorf("the lamp is at %s, want 12", k.files["/sys/lamps/hall"])
	}
}

func lines(calls []KernelCall) (all []string) {
	for _, c := range calls {
		all = append(all, c.String())
	}
	return all
}

func TestRecordLeft(t *testing.T) {
	r := Record(newFake())
	fd, err := r.Open("/sys/lamps/yard", unix.O_RDONLY)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Open("/sys/lamps/cellar", unix.O_RDONLY); err != syscall.ENOENT {
		t.Fatalf("Open of nothing = %v, want ENOENT", err)
	}
	if got, want := r.Left(), []string{"/sys/lamps/yard"}; !slices.Equal(got, want) {
		t.Errorf("left %q, want %q", got, want)
	}
	r.Reset()
	if err := r.Close(fd); err != nil {
		t.Fatal(err)
	}
	if got := r.Left(); len(got) != 0 {
		t.Errorf("left %q, want nothing", got)
	}
	if got, want := lines(r.Calls()), []string{"close /sys/lamps/yard"}; !slices.Equal(got, want) {
		t.Errorf("recorded %q, want %q", got, want)
	}
}

func TestWrites(t *testing.T) {
	tests := []struct {
		name string
		call KernelCall
		want bool
	}{
		{"open for reading", KernelCall{Op: Open, Flags: unix.O_RDONLY | unix.O_NONBLOCK}, false},
		{"open for writing", KernelCall{Op: Open, Flags: unix.O_WRONLY}, true},
		{"open for both", KernelCall{Op: Open, Flags: unix.O_RDWR}, true},
		{"read", KernelCall{Op: Read}, false},
		{"pread", KernelCall{Op: Pread}, false},
		{"pwrite", KernelCall{Op: Pwrite}, true},
		{"list", KernelCall{Op: ReadDir}, false},
		{"link", KernelCall{Op: Readlink}, false},
		{"close", KernelCall{Op: Close}, false},
		{"GPIO_GET_CHIPINFO_IOCTL, which reads", KernelCall{Op: Ioctl, Request: 0x8044b401}, false},
		{"GPIO_V2_LINE_SET_VALUES_IOCTL, which says both", KernelCall{Op: Ioctl, Request: 0xc010b40f}, true},
		{"I2C_RDWR, which says neither", KernelCall{Op: Ioctl, Request: 0x0707}, true},
		{"WDIOC_KEEPALIVE, which says that it reads", KernelCall{Op: Ioctl, Request: 0x80045705}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := test.call.Writes(); got != test.want {
				t.Errorf("Writes() = %t, want %t", got, test.want)
			}
		})
	}
}

// The n-th call fails, it alone, and it is not carried out.
func TestFailAt(t *testing.T) {
	for n := range len(sessionErrs) + 2 {
		k := newFake()
		f := FailAt(k, n, syscall.EIO)
		got := session(f)
		want := slices.Clone(sessionErrs)
		failed := Op("")
		if n > 0 && n <= len(want) {
			want[n-1] = syscall.EIO
			failed = sessionOps[n-1]
		}
		if n == 1 { // nothing works without the descriptor
			want = []error{syscall.EIO, syscall.EBADF, syscall.EBADF, syscall.EBADF, syscall.EBADF, syscall.EOPNOTSUPP, syscall.ENOTTY, syscall.ENOTTY, nil, syscall.EINVAL, syscall.EBADF}
		}
		if !slices.Equal(got, want) {
			t.Errorf("with the call %d broken the session answers %v, want %v", n, got, want)
		}
		if f.Failed() != failed || f.Count() != len(sessionErrs) {
			t.Errorf("with the call %d broken %q failed of %d, want %q of %d", n, f.Failed(), f.Count(), failed, len(sessionErrs))
		}
		if level := k.files["/sys/lamps/hall"]; (level == "12") != (n != 1) {
			t.Errorf("with the call %d broken the lamp is at %s", n, level)
		}
		if k.Opened() != 0 {
			t.Errorf("with the call %d broken %d descriptors are open, want none: a Close that fails closes", n, k.Opened())
		}
	}
}

func TestArm(t *testing.T) {
	f := FailAt(newFake(), 1, syscall.EIO)
	if _, err := f.ReadDir("/sys/lamps"); err != syscall.EIO {
		t.Errorf("the first call = %v, want EIO", err)
	}
	f.Arm(2, syscall.EBUSY)
	if f.Count() != 0 || f.Failed() != "" {
		t.Errorf("after Arm there are %d calls, and %q failed, want none", f.Count(), f.Failed())
	}
	for n, want := range []error{nil, syscall.EBUSY, nil} {
		if _, err := f.ReadDir("/sys/lamps"); err != want {
			t.Errorf("call %d after Arm = %v, want %v", n+1, err, want)
		}
	}
	if f.Failed() != ReadDir {
		t.Errorf("%q failed, want readdir", f.Failed())
	}
}
