package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/halberd-io/halberd/service/config/configtest"
)

func grantOf(id string) string {
	return "[[grant]]\nid = \"" + id + "\"\nusers = [0]\nverbs = [\"administer\"]\n"
}

func granted(p *PolicyFiles) string {
	var ids []string
	for i := range p.Grants {
		ids = append(ids, p.Grants[i].ID)
	}
	return strings.Join(ids, " ")
}

func TestLayers(t *testing.T) {
	root := image(t)
	opt := Options{Dirs: Default(), Root: root, TrustCaller: true}
	load := func(want string) {
		t.Helper()
		p, err := LoadPolicy(opt, configtest.Catalog())
		if err != nil {
			t.Fatal(err)
		}
		if got := granted(p); got != want {
			t.Errorf("got the grants %s, want %s", got, want)
		}
	}
	load("")
	put(t, root, "usr/lib/halberd/policy.d/00-root.toml", grantOf("root"))
	put(t, root, "usr/lib/halberd/policy.d/50-b.toml", grantOf("lib-b"))
	load("root lib-b")
	put(t, root, "run/halberd/policy.d/50-b.toml", grantOf("run-b"))
	put(t, root, "run/halberd/policy.d/40-a.toml", grantOf("run-a"))
	load("root run-a run-b")
	put(t, root, "etc/halberd/policy.d/50-b.toml", grantOf("etc-b"))
	load("root run-a etc-b")
	put(t, root, "etc/halberd/policy.d/40-a.toml", "")
	load("root etc-b")
	must(t, os.Symlink("/dev/null", filepath.Join(root, "etc/halberd/policy.d/00-root.toml")))
	load("etc-b")
	// What is replaced is not read at all.
	put(t, root, "usr/lib/halberd/policy.d/50-b.toml", "this is no TOML")
	load("etc-b")
	// These are no policy files.
	put(t, root, "etc/halberd/policy.d/60-c.toml.bak", "x")
	put(t, root, "etc/halberd/policy.d/README", "x")
	must(t, os.Symlink("editor@host.1:2", filepath.Join(root, "etc/halberd/policy.d/.#50-b.toml")))
	load("etc-b")

	p, err := LoadPolicy(opt, configtest.Catalog())
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(root, "etc/halberd/policy.d/50-b.toml"); len(p.Files) != 1 || p.Files[0] != want || p.Grants[0].File != want {
		t.Errorf("got the files %v, want %s", p.Files, want)
	}
	opt.Dirs = Only("/usr/lib/halberd")
	put(t, root, "usr/lib/halberd/policy.d/50-b.toml", grantOf("lib-b"))
	load("root lib-b")
}

func TestOnlyHasToBeThere(t *testing.T) {
	opt := Options{Dirs: Only(filepath.Join(t.TempDir(), "none")), TrustCaller: true}
	_, policyErr := LoadPolicy(opt, configtest.Catalog())
	_, boardErr := LoadBoard(opt, nil)
	_, digestErr := BoardDigest(opt)
	_, serverErr := LoadServer(opt)
	for _, err := range []error{policyErr, boardErr, digestErr, serverErr} {
		if err == nil || !strings.HasSuffix(err.Error(), "/none: cannot read: no such folder") {
			t.Errorf("got %v", err)
		}
	}
}

func TestBadFoldersAreAllReported(t *testing.T) {
	root := image(t)
	put(t, root, "etc/halberd/policy.d/a.toml", grantOf("a"))
	put(t, root, "run/halberd/policy.d/b.toml", grantOf("b"))
	must(t, os.Chmod(filepath.Join(root, "etc/halberd/policy.d"), 0o777))
	must(t, os.Chmod(filepath.Join(root, "run/halberd/policy.d/b.toml"), 0o666))
	_, err := LoadPolicy(Options{Dirs: Default(), Root: root, TrustCaller: true}, configtest.Catalog())
	if got := messages(err); len(got) != 2 {
		t.Errorf("got %v", got)
	}
}

func TestOneFile(t *testing.T) {
	root := t.TempDir()
	opt := Options{Dirs: Default(), Root: root, TrustCaller: true}
	level := func() string {
		t.Helper()
		s, err := LoadServer(opt)
		if err != nil {
			return err.Error()
		}
		return s.LogLevel.String()
	}
	for _, step := range []struct{ path, text, want string }{
		{"usr/lib/halberd/x", "", "INFO"},
		{"usr/lib/halberd/halberd.toml", `log-level = "debug"`, "DEBUG"},
		{"run/halberd/halberd.toml", `log-level = "warning"`, "WARN"},
		{"etc/halberd/halberd.toml", `log-level = "error"`, "ERROR"},
		{"etc/halberd/halberd.toml", "", "INFO"},
		{"etc/halberd/halberd.toml", "log-level = 1", filepath.Join(root, "etc/halberd/halberd.toml") + ":1: log-level must be a string, not an integer"},
	} {
		put(t, root, step.path, step.text)
		if got := level(); got != step.want {
			t.Errorf("with %s: got %s, want %s", step.path, got, step.want)
		}
	}
}
