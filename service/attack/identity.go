package attack

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/service/peer"
	"github.com/halberd-io/halberd/service/servicetest"
)

const whoAmI = `{"method":"io.halberd.Policy.WhoAmI"}`

// uidIn is the uid in the reply of WhoAmI; all of it where there is none.
func uidIn(reply string) string {
	_, rest, found := strings.Cut(reply, `{"parameters":{"uid":`)
	uid, _, _ := strings.Cut(rest, ",")
	if !found {
		return reply
	}
	return uid
}

// part is what an actor does to be taken for somebody else. It prints whom the daemon takes it for.
type part struct {
	name string
	root bool // whether it begins as root, who gives up that, and not as the attacker
	play func(o *orders) (string, error)
	// want is who that is, on connections and for datagrams; nil where it cannot be tried.
	connection, datagram func(t *Target) uint32
}

func attackerUID(t *Target) uint32 { return t.Attacker.UID }
func victimUID(t *Target) uint32   { return t.Victim.UID }
func rootUID(*Target) uint32       { return 0 }

var parts = []part{
	{"itself", false, ask, attackerUID, attackerUID},
	{"setuid after it connected", true, setuidAfterwards, rootUID, attackerUID},
	{"an effective uid that is not the real one", true, effective, victimUID, attackerUID},
	{"exec with its connection", false, execAfterwards, attackerUID, attackerUID},
	{"a child of another uid with the connection of its parent", true, childWithConnection, rootUID, attackerUID},
	{"a connection passed to root", true, passedToRoot, attackerUID, rootUID},
	{"a connection whose process has ended", true, outlived, attackerUID, nil},
	{"a connection whose process has ended and whose pid is root's", true, pidAgain, attackerUID, nil},
	{"two writers", true, mixedWriters, rootUID, attackerUID},
	{"root of a user namespace", false, namespaced(true), attackerUID, attackerUID},
	{"nobody of a user namespace", false, namespaced(false), attackerUID, attackerUID},
	{"a uid of a namespace that has many", true, subordinate, func(*Target) uint32 { return 100_007 }, func(*Target) uint32 { return 100_007 }},
	{"a saved uid in its credentials", true, savedUID, nil, victimUID},
}

// RunIdentities plays every part and compares whom the daemon takes it for with whom the kernel says it is. It needs root.
func RunIdentities(t *testing.T, target Target) {
	servicetest.SkipUnlessRoot(t)
	for _, p := range parts {
		for _, kind := range kinds {
			want := p.connection
			if kind == peer.Datagram {
				want = p.datagram
			}
			if want == nil {
				continue
			}
			t.Run(p.name+", "+kind.String(), func(t *testing.T) {
				o := target.orders(p.name)
				o.Kind = kind
				cmd := command(t, roleActor, o)
				if !p.root {
					target.Attacker.Apply(cmd)
				}
				got, err := output(t, cmd)
				if why, skipped := strings.CutPrefix(got, "skip: "); skipped {
					t.Skip(why)
				}
				if uid := fmt.Sprint(want(&target)); err != nil || got != uid {
					t.Errorf("the daemon takes it for %q, %v, want uid %s", got, err, uid)
				}
			})
		}
	}
}

// errSkip is for what a kernel, or an emulator, does not let a test do.
type errSkip struct{ what error }

func (e errSkip) Error() string { return "skip: " + e.what.Error() }

// act is the child.
func act(o *orders) error {
	for _, p := range parts {
		if p.name != o.What {
			continue
		}
		who, err := p.play(o)
		if skip, ok := errors.AsType[errSkip](err); ok {
			fmt.Println(skip.Error())
			return nil
		}
		fmt.Println(who)
		return err
	}
	return fmt.Errorf("there is no part %q", o.What)
}

// ask makes one connection, or a socket, and asks who it is.
func ask(o *orders) (string, error) {
	r, err := servicetest.Dial(o.Kind, o.Target)
	if err != nil {
		return "", err
	}
	defer r.Close()
	return who(r)
}

func who(r *servicetest.Raw) (string, error) {
	reply, err := r.Call(whoAmI)
	return uidIn(reply), err
}

func setuidAfterwards(o *orders) (string, error) {
	r, err := servicetest.Dial(o.Kind, o.Target)
	if err != nil {
		return "", err
	}
	defer r.Close()
	uid := int(o.Attacker.UID)
	if err := errors.Join(syscall.Setgroups(nil), syscall.Setresgid(uid, uid, uid), syscall.Setresuid(uid, uid, uid)); err != nil {
		return "", err
	}
	return who(r)
}

func effective(o *orders) (string, error) {
	if err := syscall.Setresuid(int(o.Attacker.UID), int(o.Other.UID), -1); err != nil {
		return "", err
	}
	return ask(o)
}

// stage lets one part have several scenes, each in a process of its own.
const (
	stageVariable = "HALBERD_ATTACK_STAGE" // what a process of a later scene does
	givenFD       = 3                      // with what it was given
)

// again is this program once more, in the same part, in a later scene and with a descriptor.
func again(stage string, fd int, as *servicetest.As) *exec.Cmd {
	cmd := exec.Command(os.Args[0], os.Args[1:]...)
	if emulator := emulatorOf(); emulator != "" {
		cmd = exec.Command(emulator, os.Args...)
	}
	cmd.Env = append(os.Environ(), roleVariable+"="+roleActor, stageVariable+"="+stage)
	cmd.Stderr = os.Stderr
	if fd >= 0 {
		dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		if err == nil {
			cmd.ExtraFiles = []*os.File{os.NewFile(uintptr(dup), "given")}
		}
	}
	if as != nil {
		as.Apply(cmd)
	}
	return cmd
}

// emulatorOf is the emulator that runs this program, where the kernel cannot start it by itself.
func emulatorOf() string { return os.Getenv(emulatorVariable) }

func answer(cmd *exec.Cmd) (string, error) {
	out, err := cmd.Output()
	return strings.TrimSpace(string(out)), err
}

// scene is which one this process plays.
func scene() string { return os.Getenv(stageVariable) }

func execAfterwards(o *orders) (string, error) {
	if scene() == "" {
		r, err := servicetest.Dial(o.Kind, o.Target)
		if err != nil {
			return "", err
		}
		if err := unix.Dup3(r.FD, givenFD+7, 0); err != nil {
			return "", err
		}
		cmd := again("exec", -1, nil)
		return "", syscall.Exec(cmd.Path, cmd.Args, cmd.Env)
	}
	return who(servicetest.Adopt(givenFD+7, o.Kind, o.Target))
}

func childWithConnection(o *orders) (string, error) {
	if scene() != "" {
		return who(servicetest.Adopt(givenFD, o.Kind, o.Target))
	}
	r, err := servicetest.Dial(o.Kind, o.Target)
	if err != nil {
		return "", err
	}
	defer r.Close()
	return answer(again("child", r.FD, &o.Attacker))
}

// given has a child of the attacker's connect, pass its connection, and end. It gives the connection and the child's pid.
func given(o *orders) (*servicetest.Raw, int, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, 0, err
	}
	defer unix.Close(pair[0])
	cmd := again("pass", pair[1], &o.Attacker)
	unix.Close(pair[1])
	if _, err := answer(cmd); err != nil {
		return nil, 0, err
	}
	control := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(pair[0], make([]byte, 1), control, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return nil, 0, err
	}
	messages, err := unix.ParseSocketControlMessage(control[:n])
	if err != nil || len(messages) != 1 {
		return nil, 0, fmt.Errorf("no connection was passed: %v", err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		return nil, 0, err
	}
	return servicetest.Adopt(fds[0], o.Kind, o.Target), cmd.Process.Pid, nil
}

// passConnection is the attacker's child.
func passConnection(o *orders) (string, error) {
	r, err := servicetest.Dial(o.Kind, o.Target)
	if err != nil {
		return "", err
	}
	return "", unix.Sendmsg(givenFD, []byte{0}, unix.UnixRights(r.FD), nil, 0)
}

func passedToRoot(o *orders) (string, error) {
	if scene() == "pass" {
		return passConnection(o)
	}
	r, _, err := given(o)
	if err != nil {
		return "", err
	}
	defer r.Close()
	return who(r)
}

func outlived(o *orders) (string, error) { return passedToRoot(o) }

// pidAgain asks when the attacker's pid has become root's.
func pidAgain(o *orders) (string, error) {
	switch scene() {
	case "pass":
		return passConnection(o)
	case "ask":
		return who(servicetest.Adopt(givenFD, o.Kind, o.Target))
	}
	r, pid, err := given(o)
	if err != nil {
		return "", err
	}
	defer r.Close()
	for range 50 {
		if err := os.WriteFile("/proc/sys/kernel/ns_last_pid", fmt.Append(nil, pid-1), 0); err != nil {
			return "", errSkip{err}
		}
		cmd := again("ask", r.FD, nil)
		got, err := answer(cmd)
		if err != nil || cmd.Process.Pid == pid {
			return got, err
		}
	}
	return "", errSkip{errors.New("others were always faster to get the pid")}
}

// mixedWriters has the attacker and root write on the same socket, one message after another. It says whom the attacker's were taken for, where root's were root's.
func mixedWriters(o *orders) (string, error) {
	if scene() != "" {
		return "", servicetest.Adopt(givenFD, o.Kind, o.Target).Write(whoAmI)
	}
	r, err := servicetest.Dial(o.Kind, o.Target)
	if err != nil {
		return "", err
	}
	defer r.Close()
	if err := r.Write(whoAmI); err != nil {
		return "", err
	}
	if _, err := answer(again("write", r.FD, &o.Attacker)); err != nil {
		return "", err
	}
	if err := r.Write(whoAmI); err != nil {
		return "", err
	}
	var all [3]string
	for i := range all {
		reply, err := r.Read()
		if err != nil {
			return "", err
		}
		all[i] = uidIn(reply)
	}
	if all[0] != "0" || all[2] != "0" {
		return "", fmt.Errorf("they are taken for %q", all)
	}
	return all[1], nil
}

// namespaced asks from within a user namespace that the attacker makes, as root there or without any uid that it knows.
func namespaced(mapped bool) func(o *orders) (string, error) {
	return func(o *orders) (string, error) {
		if scene() != "" {
			inside := 65534
			if mapped {
				inside = 0
			}
			if got := os.Getuid(); got != inside {
				return "", fmt.Errorf("the uid in the namespace is %d, want %d", got, inside)
			}
			return ask(o)
		}
		cmd := again("inside", -1, nil)
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER}
		if mapped {
			cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		}
		return enter(cmd)
	}
}

// enter starts a child in a namespace of its own, where that can be done.
func enter(cmd *exec.Cmd) (string, error) {
	got, err := answer(cmd)
	for _, errno := range []error{unix.EPERM, unix.EINVAL, unix.ENOSPC, unix.ENOSYS, unix.EUSERS} {
		if errors.Is(err, errno) {
			return "", errSkip{fmt.Errorf("a user namespace: %w", errno)}
		}
	}
	return got, err
}

// subordinate is uid 7 of a namespace whose uids are those from 100,000 on outside.
func subordinate(o *orders) (string, error) {
	if scene() != "" {
		return ask(o)
	}
	cmd := again("inside", -1, nil)
	cmd.Dir = "/"
	many := []syscall.SysProcIDMap{{HostID: 100_000, Size: 65_536}}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER, UidMappings: many, GidMappings: many, GidMappingsEnableSetgroups: true,
		Credential: &syscall.Credential{Uid: 7, Gid: 7}}
	return enter(cmd)
}

// savedUID says in a datagram that it is the uid that it could become at any time, which the kernel lets it.
func savedUID(o *orders) (string, error) {
	runtime.LockOSThread()
	if err := syscall.Setresuid(int(o.Attacker.UID), int(o.Attacker.UID), int(o.Other.UID)); err != nil {
		return "", err
	}
	r, err := servicetest.Dial(o.Kind, o.Target)
	if err != nil {
		return "", err
	}
	defer r.Close()
	cred := unix.Ucred{Pid: int32(os.Getpid()), Uid: o.Other.UID, Gid: uint32(os.Getgid())}
	if err := unix.Sendmsg(r.FD, []byte(whoAmI), unix.UnixCredentials(&cred), &unix.SockaddrUnix{Name: o.Target}, 0); err != nil {
		return "", err
	}
	reply, err := r.Read()
	return uidIn(reply), err
}
