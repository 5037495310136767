package service

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What a call costs outside the kernel is counted in instructions, which do not depend on what else a machine does. For other architectures an emulator
// counts them (emulated_test.go). On this machine a copy of the test runs calls, and is made to stop after each instruction (PTRACE_SINGLESTEP). That
// works where no counter of the processor can be read, as in most virtual machines.

// countVariable makes a copy of the test the one that is counted; its value is the row of benchKinds.
const countVariable = "HALBERD_COUNT_INSTRUCTIONS"

const (
	countedCalls = 5
	slack        = 1.10    // the most that a call may grow by
	maxSteps     = 200_000 // of one call, some 20 times what one takes
)

// TestInstructions: from the frame to the reply, a call takes no more instructions than testdata/instructions says, and a tenth. A change that is worth
// more changes the figure there, too.
func TestInstructions(t *testing.T) {
	if kind := os.Getenv(countVariable); kind != "" {
		beCounted(t, kind)
		return
	}
	skipUnlessCountable(t)
	for _, row := range benchKinds {
		t.Run(row.name, func(t *testing.T) {
			want := committed(t, row.name)
			got := count(t, row.name)
			t.Logf("%d instructions a call, %d committed", got, want)
			if float64(got) > slack*float64(want) {
				t.Errorf("a call takes %d instructions, want no more than %.0f", got, slack*float64(want))
			}
		})
	}
}

func skipUnlessCountable(t *testing.T) {
	t.Helper()
	info, _ := debug.ReadBuildInfo()
	for _, s := range info.Settings {
		if s.Key == "-race" && s.Value == "true" {
			t.Skip("the race detector's own instructions would be counted")
		}
	}
	if testing.CoverMode() != "" {
		t.Skip("the instructions that count coverage would be counted")
	}
}

// committed gives the figure for this architecture and Go's minor version: another compiler writes other code.
func committed(t *testing.T, kind string) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "instructions"))
	if err != nil {
		t.Fatal(err)
	}
	compiler := strings.Join(strings.SplitN(runtime.Version(), ".", 3)[:2], ".")
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 4 && f[0] == runtime.GOARCH && f[1] == compiler && f[2] == kind {
			n, err := strconv.Atoi(f[3])
			if err != nil {
				t.Fatalf("testdata/instructions: %v", err)
			}
			return n
		}
	}
	t.Skipf("no figure for %s and %s is committed", runtime.GOARCH, compiler)
	return 0
}

// beCounted does the copy's part.
func beCounted(t *testing.T, kind string) {
	debug.SetGCPercent(-1)
	if round := os.Getenv(roundVariable); round != "" {
		beEmulated(t, kind, round)
		return
	}
	beStepped(t, kind)
}

// beStepped makes calls in a thread that its parent stops: between two signals to itself there is one call, without the client's own sending and reading.
func beStepped(t *testing.T, kind string) {
	b, msg := countedBench(t, kind)
	fmt.Printf("\n%s%d\n", threadPrefix, unix.Gettid())
	if _, err := unix.Read(0, b.reply); err != nil { // until all other threads are stopped
		t.Fatal(err)
	}
	for range countedCalls {
		if _, err := unix.Write(b.fd, msg); err != nil {
			t.Fatal(err)
		}
		mark(t)
		b.conn.Ready(unix.EPOLLIN)
		mark(t)
		if _, err := unix.Read(b.fd, b.reply); err != nil {
			t.Fatal(err)
		}
	}
}

// countedBench gives a server that has served, and the call.
func countedBench(t *testing.T, kind string) (*bench, []byte) {
	row := benchKinds[slices.IndexFunc(benchKinds, func(r benchKind) bool { return r.name == kind })]
	b, msg := newBench(t, row.kind, row.transport), []byte(setPump+row.end)
	for range 1000 {
		b.call(t, msg)
	}
	return b, msg
}

const threadPrefix = "counted thread "

// mark is a signal that the parent takes away.
func mark(t *testing.T) {
	if err := unix.Tgkill(os.Getpid(), unix.Gettid(), unix.SIGUSR2); err != nil {
		t.Fatal(err)
	}
}

// count gives the instructions of a call, from the emulator that is named, or else by single steps.
func count(t *testing.T, kind string) int {
	t.Helper()
	if emulator := strings.Fields(os.Getenv(emulatorVariable)); len(emulator) > 0 {
		return countEmulated(t, emulator, kind)
	}
	if runtime.GOARCH != "amd64" {
		t.Skipf("for %s an emulator counts, when %s names it", runtime.GOARCH, emulatorVariable)
	}
	return countSteps(t, kind)
}

const (
	attempts = 5
	patience = 20 * time.Second // of one attempt, which takes 2
)

// countSteps gives the least that one of some calls took. The other threads of the copy are stopped wherever they are: where one of them holds a lock of the runtime at that moment, the
// counted one waits for ever. Then the copy is ended, and another one is tried.
func countSteps(t *testing.T, kind string) int {
	t.Helper()
	runtime.LockOSThread() // the kernel answers the thread that attached alone
	defer runtime.UnlockOSThread()
	for range attempts {
		if least, ok := tryCount(t, kind); ok {
			return least
		}
		t.Log("the copy hung, and is tried again")
	}
	t.Fatalf("%d copies hung", attempts)
	return 0
}

func tryCount(t *testing.T, kind string) (least int, ok bool) {
	t.Helper()
	copied, thread, release := startCounted(t, kind)
	watchdog := time.AfterFunc(patience, func() { _ = copied.Process.Kill() })
	defer watchdog.Stop()
	traced := []int{thread}
	defer func() { end(copied, traced) }()
	c := attach(t, thread)
	for _, other := range others(t, thread) {
		attach(t, other)
		traced = append(traced, other)
	}
	release()
	least = maxSteps
	for range countedCalls {
		if !c.toMark() {
			return 0, false
		}
		n, ok := c.steps()
		if !ok {
			return 0, false
		}
		least = min(least, n)
	}
	return least, true
}

// end ends the copy. Threads that are traced have to be waited for by their tracer before the process can be, which is its first thread.
func end(copied *exec.Cmd, traced []int) {
	_ = copied.Process.Kill()
	for _, thread := range traced {
		if thread != copied.Process.Pid {
			_, _ = syscall.Wait4(thread, nil, syscall.WALL, nil)
		}
	}
	_ = copied.Wait()
}

// startCounted starts the copy and gives its thread, and what lets it begin.
func startCounted(t *testing.T, kind string) (cmd *exec.Cmd, thread int, release func()) {
	t.Helper()
	cmd = exec.Command(os.Args[0], "-test.run=^TestInstructions$", "-test.timeout=60s")
	cmd.Env = append(os.Environ(), countVariable+"="+kind, "GOMAXPROCS=1") // or its other threads might take the call over
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, readThread(t, bufio.NewScanner(out)), func() { _, _ = in.Write([]byte("\n")) }
}

func readThread(t *testing.T, lines *bufio.Scanner) int {
	t.Helper()
	for lines.Scan() {
		if text, ok := strings.CutPrefix(lines.Text(), threadPrefix); ok {
			thread, err := strconv.Atoi(text)
			if err != nil {
				t.Fatal(err)
			}
			return thread
		}
	}
	t.Fatal("the copy of the test ended early")
	return 0
}

// tracee is the thread whose instructions are counted.
type tracee struct {
	*testing.T
	thread int
}

func attach(t *testing.T, thread int) tracee {
	t.Helper()
	if err := syscall.PtraceAttach(thread); err != nil {
		t.Skipf("this process may not trace another one: %v", err)
	}
	c := tracee{t, thread}
	_, _ = c.wait()
	return c
}

// others lists the copy's other threads. They are stopped for good: the runtime's monitor would take the processor from a call that lasts so long.
func others(t *testing.T, thread int) (ids []int) {
	t.Helper()
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", thread))
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		if id, err := strconv.Atoi(task.Name()); err == nil && id != thread {
			ids = append(ids, id)
		}
	}
	return ids
}

// wait gives the signal that the thread stopped for; ok is false where it ended.
func (c tracee) wait() (signal syscall.Signal, ok bool) {
	c.Helper()
	var status syscall.WaitStatus
	for {
		_, err := syscall.Wait4(c.thread, &status, syscall.WALL, nil)
		switch {
		case err == syscall.EINTR:
		case err != nil || !status.Stopped():
			return 0, false
		default:
			return status.StopSignal(), true
		}
	}
}

// toMark lets the thread run up to its next signal to itself.
func (c tracee) toMark() (ok bool) {
	c.Helper()
	for signal := syscall.Signal(0); ; {
		if err := syscall.PtraceCont(c.thread, int(signal)); err != nil {
			return false
		}
		if signal, ok = c.wait(); !ok || signal == syscall.SIGUSR2 {
			return ok
		}
	}
}

// steps counts up to the signal after that.
func (c tracee) steps() (n int, ok bool) {
	c.Helper()
	for n := range maxSteps {
		if err := syscall.PtraceSingleStep(c.thread); err == syscall.ESRCH {
			return 0, false
		} else if err != nil {
			c.Skipf("this machine cannot stop after each instruction: %v", err)
		}
		signal, ok := c.wait()
		switch {
		case !ok:
			return 0, false
		case signal == syscall.SIGUSR2:
			return n, true
		case signal != syscall.SIGTRAP:
			c.Fatalf("the counted thread got %v", signal)
		}
	}
	c.Fatalf("a call takes more than %d instructions", maxSteps)
	return 0, false
}
