package service

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// An emulator counts the instructions of a whole run: a copy of the test makes calls, another one sends and reads as often without a call between, and
// the difference is what the calls took.

const (
	// emulatorVariable is the command of an emulator that prints at the end how many instructions each thread ran, as cross/bench/count.c does.
	emulatorVariable = "HALBERD_COUNTING_EMULATOR"

	// roundVariable tells a copy of the test what to do again and again: call, or echo.
	roundVariable = "HALBERD_COUNTED_ROUND"

	emulatedRounds = 20_000 // what differs between two starts is less than 1 % of so many calls
)

// echo is what the client does in a call: it sends a message, and reads. The server is not asked: the message is read from its end.
func (b *bench) echo(t testing.TB, msg []byte) []byte {
	if _, err := unix.Write(b.fd, msg); err != nil {
		t.Fatal(err)
	}
	n, err := unix.Read(b.conn.fd, b.reply)
	if err != nil {
		t.Fatal(err)
	}
	return b.reply[:n]
}

// beEmulated makes the rounds in one thread, which thereby runs more instructions than any other of the copy.
func beEmulated(t *testing.T, kind, round string) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	b, msg := countedBench(t, kind)
	do := map[string]func(testing.TB, []byte) []byte{"call": b.call, "echo": b.echo}[round]
	for range emulatedRounds {
		do(t, msg)
	}
}

// countEmulated gives the mean of all calls.
func countEmulated(t *testing.T, emulator []string, kind string) int {
	t.Helper()
	calls, echoes := busiest(t, emulator, kind, "call"), busiest(t, emulator, kind, "echo")
	return int((calls - echoes) / emulatedRounds)
}

// busiest runs the copy under the emulator and gives the instructions of the thread that ran most.
func busiest(t *testing.T, emulator []string, kind, round string) int64 {
	t.Helper()
	args := slices.Concat(emulator[1:], []string{os.Args[0], "-test.run=^TestInstructions$", "-test.timeout=120s"})
	cmd := exec.Command(emulator[0], args...)
	cmd.Env = append(os.Environ(), countVariable+"="+kind, roundVariable+"="+round, "GOMAXPROCS=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, out)
	}
	most := mostInstructions(string(out))
	if most == 0 {
		t.Fatalf("%v counted nothing:\n%s", cmd, out)
	}
	return most
}

func mostInstructions(out string) (most int64) {
	for line := range strings.Lines(out) {
		var thread int
		var instructions int64
		if _, err := fmt.Sscanf(line, "thread %d ran %d instructions", &thread, &instructions); err == nil {
			most = max(most, instructions)
		}
	}
	return most
}
