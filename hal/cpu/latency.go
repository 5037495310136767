package cpu

import (
	"encoding/binary"
	"errors"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal"
)

const (
	latencyDevice = "/dev/cpu_dma_latency"
	latencyHold   = "latency_hold"
	// longest is the kernel's PM_QOS_CPU_LATENCY_DEFAULT_VALUE, which holds nothing.
	longest = 2_000_000_000
)

type holdIn struct{ Latency int64 }

func (p *holdIn) Fields(f *hal.Fields) {
	f.IntIn("uSec", &p.Latency, 0, longest, hal.Microseconds, "The longest time that a processor may take to leave its idle state. The shortest of all holds counts.")
}

type holdOut struct{ File hal.File }

func (r *holdOut) Fields(f *hal.Fields) {
	f.File("fileDescriptor", &r.File, "What holds for as long as it is open.")
}

// hold opens the device, says how long, and hands it over.
func hold(k hal.Kernel, in *holdIn, out *holdOut) error {
	fd, err := k.Open(latencyDevice, unix.O_WRONLY)
	if err == unix.ENOENT {
		return &hal.NotSupported{Feature: latencyHold}
	}
	if err != nil {
		return hal.Refuse(class, latencyHold, err)
	}
	err = writeLatency(k, fd, int32(in.Latency))
	if err == nil {
		out.File.FD, err = k.Pass(fd)
	}
	_ = k.Close(fd)
	return hal.Refuse(class, latencyHold, err)
}

var errShort = errors.New("cannot hold the latency: the kernel took only a part of it")

// writeLatency writes a number of 32 bits, as the kernel reads it.
func writeLatency(k hal.Kernel, fd int, usec int32) error {
	var value [4]byte
	binary.NativeEndian.PutUint32(value[:], uint32(usec))
	n, err := k.Write(fd, value[:])
	if err == nil && n != len(value) {
		err = errShort
	}
	return err
}
