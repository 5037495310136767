package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// expected is what a product expects of the policy with pumpGrant.
const expected = `[[expect]]
name = "the app drives the pump"
uid = 1000
method = "io.halberd.Gpio.Set"
parameters = { line = "relay-pump", value = 1 }
allowed = true
grant = "pump"

[[expect]]
uid = 1000
method = "io.halberd.Gpio.Set"
parameters = { line = "relay-up", value = 1 }
allowed = false
`

// TestCheckExpectations: check -test tries expectations on the policy of a folder, offline.
func TestCheckExpectations(t *testing.T) {
	wrong := strings.Replace(expected, "allowed = false", "allowed = true", 1)
	rows := []struct {
		name, policy string
		files        map[string]string // of expectations
		status       int
		stdout       string
		stderr       []string // each in it; a path is one in the folder
	}{
		{"met", pumpGrant, map[string]string{"a.toml": expected}, 0, "good: 2 expectations are met by 1 grant in 1 file\n", nil},
		{"two files", pumpGrant, map[string]string{"a.toml": expected, "b.toml": expected}, 0, "good: 4 expectations are met by 1 grant in 1 file\n", nil},
		{"not met", pumpGrant, map[string]string{"a.toml": wrong, "b.toml": expected}, 1, "",
			[]string{"halberd: 1 of 4 expectations is not met:\n", "/a.toml:9: io.halberd.Gpio.Set is to be permitted, and the policy denies it: grant pump: it is for devices relay-pump, and not for relay-up (", "/policy.d/50.toml:1)\n"}},
		{"a bad policy", strings.Replace(pumpGrant, "methods", "metods", 1), map[string]string{"a.toml": expected}, 1, "", []string{"halberd: the policy is bad:\n", "/policy.d/50.toml:4: "}},
		{"bad expectations", pumpGrant, map[string]string{"a.toml": strings.ReplaceAll(expected, "line =", "lion ="), "b.toml": "x"}, 1, "", []string{"halberd: the expectations are bad:\n", "/a.toml:5: ", "/a.toml:12: ", "/b.toml:"}},
		{"no file", pumpGrant, map[string]string{"a.toml": expected, "none.toml": ""}, 1, "", []string{"halberd: the expectations are bad:\n", "/none.toml: no such file"}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			config, dir := folder(t, map[string]string{"policy.d/50.toml": row.policy}), folder(t, row.files)
			args := []string{"-config", config}
			for name, text := range row.files {
				path := filepath.Join(dir, name)
				if text == "" {
					if err := os.Remove(path); err != nil {
						t.Fatal(err)
					}
				}
				args = append(args, "-test", path)
			}
			status, stdout, stderr := checked(args...)
			if status != row.status || stdout != row.stdout || (stderr == "") != (status == 0) {
				t.Errorf("got %d, %q, %q, want %d, %q", status, stdout, stderr, row.status, row.stdout)
			}
			for _, want := range row.stderr {
				if !strings.Contains(stderr, want) {
					t.Errorf("got %q, want %q in it", stderr, want)
				}
			}
		})
	}
}

// TestExpectationsOfAnImage: users and groups are those of the image.
func TestExpectationsOfAnImage(t *testing.T) {
	root := folder(t, map[string]string{
		"etc/passwd": "kiosk-of-image:x:1234:1234::/:/bin/sh\n", "etc/group": "leds-of-image:x:77:kiosk-of-image\n",
		"etc/halberd/policy.d/50.toml": "[[grant]]\nid = \"lights\"\ngroups = [\"leds-of-image\"]\nmethods = [\"io.halberd.Led.Set\"]\ndevices = [\"front\"]\n",
	})
	tests := folder(t, map[string]string{"a.toml": "[[expect]]\nuser = \"kiosk-of-image\"\nmethod = \"io.halberd.Led.Set\"\nparameters = { led = \"front\", brightness = 1 }\nallowed = true\ngrant = \"lights\"\n"})
	status, stdout, stderr := checked("-root", root, "-test", filepath.Join(tests, "a.toml"))
	if want := "good: 1 expectation is met by 1 grant in 1 file\n"; status != 0 || stdout != want {
		t.Errorf("got %d, %q, %q, want 0, %q", status, stdout, stderr, want)
	}
}

// programs builds halberd and halctl beside each other, as they are installed.
func programs(t *testing.T) (halctl string) {
	t.Helper()
	if host := strings.TrimSpace(runIn(t, ".", "go", "env", "GOHOSTARCH")); host != runtime.GOARCH {
		t.Skipf("the programs are built for the machine that builds: %s, not %s", host, runtime.GOARCH)
	}
	dir := t.TempDir()
	runIn(t, ".", "go", "build", "-o", dir+"/", ".", "../halctl")
	return filepath.Join(dir, "halctl")
}

// TestPolicyTest: `halctl policy test` is the same, by the halberd beside it.
func TestPolicyTest(t *testing.T) {
	halctl, config := programs(t), folder(t, map[string]string{"policy.d/50.toml": pumpGrant, "a.toml": expected})
	if got, want := runIn(t, config, halctl, "policy", "test", "-config", config, "a.toml"), "good: 2 expectations are met by 1 grant in 1 file\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
