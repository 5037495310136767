package service

import (
	"fmt"
	"io"
	"log/slog"
	"syscall"
	"unsafe"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/service/loop"
)

// Describe gives the catalog of all interfaces as a server without any hardware would have it: what can be called, and what not by whom.
func Describe(drivers []hal.Driver) (*hal.Catalog, error) {
	l, err := loop.New()
	if err != nil {
		return nil, err
	}
	defer l.Close()
	s := &Server{config: Config{Drivers: drivers, Kernel: bare{}, Log: slog.New(slog.DiscardHandler)}, loop: l, catalog: hal.NewCatalog()}
	s.log = s.config.Log
	if err := s.openClasses(); err != nil {
		return nil, err
	}
	defer s.closeClasses()
	return s.catalog, s.fillCatalog()
}

// Detect prints a board.toml that declares what the kernel has, commented out where a product has to decide.
func Detect(w io.Writer, k hal.Kernel, drivers []hal.Driver, log *slog.Logger) error {
	l, err := loop.New()
	if err != nil {
		return err
	}
	defer l.Close()
	s := &Server{config: Config{Drivers: drivers, Kernel: k, Log: log}, log: log, loop: l, catalog: hal.NewCatalog()}
	if err := s.openClasses(); err != nil {
		return err
	}
	defer s.closeClasses()
	fmt.Fprint(w, "# What this board has. Give each device that the product uses a name of its own, and leave the rest out.\n")
	for _, class := range s.classes {
		if err := detectClass(w, class); err != nil {
			return err
		}
	}
	return nil
}

func detectClass(w io.Writer, class *hal.Class) error {
	if class.Devices == nil {
		return nil
	}
	for i := range class.Devices.Len() {
		d := class.Devices.At(i)
		if declared, ok := d.(hal.Declarer); ok {
			if _, err := fmt.Fprintf(w, "\n%s", declared.Declaration()); err != nil {
				return err
			}
		}
	}
	return nil
}

// bare is a kernel without any hardware.
type bare struct{}

func (bare) Open(string, int) (int, error)            { return -1, syscall.ENOENT }
func (bare) Close(int) error                          { return syscall.EBADF }
func (bare) Read(int, []byte) (int, error)            { return -1, syscall.EBADF }
func (bare) Pread(int, []byte, int64) (int, error)    { return -1, syscall.EBADF }
func (bare) Pwrite(int, []byte, int64) (int, error)   { return -1, syscall.EBADF }
func (bare) Write(int, []byte) (int, error)           { return -1, syscall.EBADF }
func (bare) Pass(int) (int, error)                    { return -1, syscall.EBADF }
func (bare) Ioctl(int, uint, unsafe.Pointer) error    { return syscall.EBADF }
func (bare) IoctlInt(int, uint, int) error            { return syscall.EBADF }
func (bare) ReadDir(string) (names []string, e error) { return nil, syscall.ENOENT }
func (bare) Readlink(string) (string, error)          { return "", syscall.ENOENT }
func (bare) Inode(string) (uint64, error)             { return 0, syscall.ENOENT }
func (bare) Uevents() (int, error)                    { return -1, syscall.EPROTONOSUPPORT }
func (bare) Uevent(int, []byte) (int, error)          { return 0, syscall.EBADF }
