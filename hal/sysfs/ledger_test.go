package sysfs_test

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/hal/sysfs"
)

// disk is a hal.State with one file.
type disk struct {
	text  string
	saves int
	err   error
}

func (d *disk) Load(string) ([]byte, error) { return []byte(d.text), d.err }

func (d *disk) Save(_ string, data []byte) error {
	d.saves++
	d.text = string(data)
	return d.err
}

func openLedger(d *disk, first bool) (*sysfs.Ledger, *strings.Builder) {
	var log strings.Builder
	env := &hal.Env{Log: slog.New(slog.NewTextHandler(&log, nil)), FirstStart: first}
	if d != nil {
		env.State = d
	}
	return sysfs.OpenLedger(env, "toys", "they are forgotten"), &log
}

// TestLedger: what is noted is known to the processes after it until the system boots again, and is written once.
func TestLedger(t *testing.T) {
	d := &disk{}
	expect := func(l *sysfs.Ledger, key, want string, there bool) {
		t.Helper()
		if got, ok := l.Noted(key); got != want || ok != there {
			t.Errorf("%s: got %q, %t, want %q, %t", key, got, ok, want, there)
		}
	}
	l, _ := openLedger(d, true)
	for range 2 {
		l.Note("b", "")
		l.Note("a", "5")
	}
	l.Note("a", "6")
	if d.text != "a 6\nb\n" || d.saves != 3 {
		t.Errorf("%q was saved %d times", d.text, d.saves)
	}
	l, _ = openLedger(d, false)
	expect(l, "a", "6", true)
	expect(l, "b", "", true)
	expect(l, "c", "", false)
	for i := range 2000 {
		l.Note(fmt.Sprint("c", i), "")
	}
	if n := strings.Count(d.text, "\n"); n != 1024 {
		t.Errorf("%d are noted, want 1024", n)
	}
	l, _ = openLedger(d, true)
	expect(l, "a", "", false)
	if d.text != "" {
		t.Errorf("%q is left of the boot before", d.text)
	}
}

// TestLedgerWithoutDisk: without a State, or one that fails, a process goes on, and says what that means.
func TestLedgerWithoutDisk(t *testing.T) {
	l, log := openLedger(nil, false)
	l.Note("a", "")
	if _, ok := l.Noted("a"); ok || log.Len() > 0 {
		t.Errorf("it is noted: %t, and it says %s", ok, log)
	}
	l, log = openLedger(&disk{err: errors.New("no disk")}, false)
	l.Note("a", "")
	if _, ok := l.Noted("a"); !ok || strings.Count(log.String(), "they are forgotten") != 2 {
		t.Errorf("it is noted: %t, and it says %s", ok, log)
	}
}
