//go:build boot

package boottest

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// seen is where the tests of the second half find what the first half saw.
const seen = "/run/boot-test.seen"

// TestMain runs the tests in a system that has finished to start. With halberd.service enabled they have two halves, with a shutdown of all
// services between: the first looks what the boot did and drives an output, and systemd's soft reboot ends it.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == firstCall {
		if err := makeFirstCall(os.Args[2]); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	if len(os.Args) == 2 && os.Args[1] == forbiddenCalls {
		if err := tryForbidden(); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	flag.Parse()
	if enabled() && !exists(seen) {
		if err := firstHalf(); err != nil {
			fmt.Println("the first half failed:", err)
			os.Exit(1)
		}
		for { // until systemd ends this
			time.Sleep(time.Hour)
		}
	}
	_, _ = exec.Command("udevadm", "settle", "--timeout=60").CombinedOutput()
	os.Exit(m.Run())
}

// enabled reports whether halberd.service is enabled in this boot.
func enabled() bool {
	text, _ := os.ReadFile("/proc/cmdline")
	return !strings.Contains(string(text), "halberd.disabled")
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// firstHalf notes who runs and what the valve's line is, sets the pump's line to 1, has the kernel record all changes of lines, and ends all services.
func firstHalf() error {
	script := `set -e
exec 2>&1
for i in $(seq 300); do systemctl --quiet is-active halberd.service && break; sleep 0.2; done
mkdir -p /run/boot-test
systemctl is-active halberd.service >/run/boot-test/active || true
systemctl show -P MainPID halberd.service >/run/boot-test/pid
cat /sys/devices/platform/board/gpiochip*/sim_gpio20/value >/run/boot-test/valve
for i in $(seq 300); do [ -e /run/first-reply ] && break; sleep 0.2; done
cp /run/first-reply /run/boot-test/first-reply
halctl gpio set relay-pump 1
cat /sys/devices/platform/board/gpiochip*/sim_gpio5/value >/run/boot-test/pump
mountpoint -q /sys/kernel/tracing || mount -t tracefs tracefs /sys/kernel/tracing
echo 1 >/sys/kernel/tracing/events/gpio/enable
date +%s.%N >` + seen + `
systemctl --no-block soft-reboot
`
	out, err := exec.Command("/bin/sh", "-c", script).Output()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}
