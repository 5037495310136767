package main

import (
	"log/slog"
	"os"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/init/notify"
	"github.com/halberd-io/halberd/service/keep"
)

// storeManager is the store of the service manager.
type storeManager struct{}

func (storeManager) Store(name string, fd int) error { return notify.Store(name, fd) }
func (storeManager) Unstore(name string) error       { return notify.Unstore(name) }
func (storeManager) Wait() error                     { return notify.Wait() }

// inheritance is what was in the store when the daemon was started.
type inheritance struct{ all []keep.Inherited }

// take is activate.Options.Stored.
func (i *inheritance) take(name string, fd int) {
	i.all = append(i.all, keep.Inherited{Name: name, FD: fd})
}

// open makes the store; nil where there is none, which the log says once.
func (i *inheritance) open(log *slog.Logger) *keep.Store {
	if os.Getenv("NOTIFY_SOCKET") == "" {
		for _, one := range i.all {
			unix.Close(one.FD)
		}
		log.Info("no service manager keeps outputs over a restart: at each start they take their initial or safe values")
		return nil
	}
	s, err := keep.Open(i.all, storeManager{})
	if err != nil {
		log.Warn("what was kept over the restart is not whole", "error", err)
	}
	return s
}
