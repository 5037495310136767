package service_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/halberd-io/halberd"

// rule forbids imports. A pattern is a package of this module or a path of another one; "x/..." is x and all below it, "*" is all of this module, "<class>" is each device
// class and "<daemon>" is whatever cmd/halberd links. Test files are free.
type rule struct {
	from, to string
	except   string // importers or imports that may, separated by spaces
	reason   string
	example  string // an edge that it forbids, to see that it can
}

var rules = []rule{
	{"<class>", "<class>", "", "a class is one folder, which can be read, changed and left out alone", "hal/led hal/gpio"},
	{"<class>", "hal/kernel", "", "a class reaches hardware through the kernel it is given, so that another one can be put in its place", "hal/led hal/kernel"},
	{"<class>", "hal/sim/...", "", "a class does not know that it is simulated", "hal/gpio hal/sim"},
	{"hal/...", "service/...", "", "what knows the hardware never knows who calls", "hal/led service/peer"},
	{"hal/...", "init/...", "", "what knows the hardware does not know what started it", "hal/board init/notify"},
	{"hal", "hal/...", "hal/wire", "the vocabulary knows no hardware", "hal hal/kernel"},
	{"hal/wire", "*", "", "the reader of untrusted bytes stands alone", "hal/wire hal"},
	{"hal/wire", "os", "", "the reader of untrusted bytes does no I/O", "hal/wire os"},
	{"hal/wire", "golang.org/x/sys/...", "", "the reader of untrusted bytes does no I/O", "hal/wire golang.org/x/sys/unix"},
	{"hal/uapi", "*", "", "it mirrors the kernel's headers and means nothing", "hal/uapi hal"},
	{"hal/sysfs", "*", "hal", "attributes serve every class and belong to none", "hal/sysfs hal/led"},
	{"hal/sim", "*", "hal hal/uapi", "the simulated board stands below the kernel boundary and does not know who reads it", "hal/sim hal/led"},

	{"service/peer", "*", "", "who calls is taken from the kernel, and decides nothing", "service/peer service/policy"},
	{"service/frame", "*", "", "framing carries bytes and does not know what they say", "service/frame hal/wire"},
	{"service/loop", "*", "", "the loop knows time and descriptors", "service/loop hal"},
	{"service/dispatch", "*", "hal hal/wire", "dispatch asks a gate of its own and does not know who stands behind it", "service/dispatch service/policy"},
	{"service/policy", "*", "hal hal/wire service/config", "policy decides about names and values, and knows neither sockets nor hardware", "service/policy service/listen"},
	{"service/config", "*", "hal hal/wire", "the files are read before there is anything that they configure", "service/config service/policy"},
	{"service/audit", "*", "hal", "what writes decisions down takes no part in them", "service/audit service/policy"},
	{"service/state", "*", "", "what is kept are bytes under names, and only who saved them knows what they say", "service/state hal"},
	{"service/sandbox", "*", "", "what confines the daemon does not know what the daemon does", "service/sandbox service/listen"},
	{"service/...", "service/sandbox", "", "a program confines itself once all is open, and a package that it links does not", "service service/sandbox"},
	{"service/client", "*", "", "an app that links the client links nothing of the daemon", "service/client service/frame"},
	{"service/...", "<class>", "", "the classes are handed to the service by cmd/halberd", "service hal/led"},
	{"service/...", "hal/board", "service/servicetest", "the classes are handed to the service by cmd/halberd", "service hal/board"},
	{"service/...", "hal/sim/...", "service/servicetest", "the service does not know that its board is simulated", "service hal/sim"},
	{"service/...", "hal/kernel", "service/servicetest", "the kernel is handed to the service by cmd/halberd", "service/dispatch hal/kernel"},
	{"service/...", "init/...", "service", "one package alone tells the service manager about the daemon's life", "service/listen init/activate"},
	{"init/...", "*", "init/activate init/power", "how a daemon is started has nothing to do with what it does", "init/notify service"},
	{"init/activate", "*", "service/listen service/peer", "what was inherited becomes sockets, and no more", "init/activate service/policy"},
	{"init/power", "*", "hal hal/wire", "it asks the init system, and does not know for whom", "init/power service"},
	{"*", "cmd/...", "", "programs wire the rest and are not imported", "service cmd/halberd"},

	{"*", "hal/haltest", "hal/sim/simtest", "it links package testing", "hal/led hal/haltest"},
	{"*", "hal/sim/simtest", "", "it links package testing", "hal/board hal/sim/simtest"},
	{"*", "service/servicetest", "", "it links package testing", "cmd/halctl service/servicetest"},
	{"*", "service/config/configtest", "", "it is for tests", "service/policy service/config/configtest"},
	{"*", "testing", "hal/haltest hal/sim/simtest service/servicetest service/config/configtest", "it is for tests", "hal/sim testing"},

	{"*", "C", "", "the programs are static and built without a C compiler", "hal/kernel C"},
	{"*", "plugin", "", "no registration by side effect, and nothing that needs a dynamic linker", "hal/board plugin"},
	{"*", "net/http", "", "never an INET socket", "cmd/halctl net/http"},
	{"<daemon>", "net", "", "never an INET socket; it reaches for a resolver and adds 0.6 MB", "service/listen net"},
	{"<daemon>", "encoding/json", "", "it takes METHOD for method and the last of two keys; hal/wire reads what comes from outside", "service/dispatch encoding/json"},
	{"<daemon>", "encoding/gob", "", "reflection on the path of untrusted bytes", "service encoding/gob"},
	{"<daemon>", "encoding/xml", "", "reflection on the path of untrusted bytes", "hal encoding/xml"},
	{"<daemon>", "reflect", "", "messages name their fields; nothing looks for them at run time", "hal reflect"},
	{"<daemon>", "text/template", "", "it keeps every method of every type linked", "hal text/template"},
	{"<daemon>", "html/template", "", "it keeps every method of every type linked", "hal html/template"},
	{"<daemon>", "os/user", "", "names come from the passwd and group files that -root can replace", "service/config os/user"},
	{"<daemon>", "math/rand", "", "math/rand/v2 where chance is enough, crypto/rand where it is not", "hal/sim math/rand"},
	{"<daemon>", "log", "", "logs are records, of log/slog", "service log"},
	{"<daemon>", "flag", "cmd/halberd", "flags belong to programs", "service flag"},

	{"*", "github.com/BurntSushi/toml/...", "service/config hal/sim/simtest", "files are read in one place, strictly", "service/policy github.com/BurntSushi/toml"},
	{"*", "github.com/coreos/go-systemd/...", "init/notify init/journal init/activate", "one init system is one folder", "service github.com/coreos/go-systemd/v22/daemon"},
	{"*", "github.com/warthog618/go-gpiocdev/...", "hal/gpio hal/uapi hal/sim", "it is the kernel's structures of one class", "hal/led github.com/warthog618/go-gpiocdev/uapi"},
	{"*", "github.com/warthog618/go-gpiocdev", "", "its functions call the kernel themselves, past hal.Kernel", "hal/gpio github.com/warthog618/go-gpiocdev"},
}

// imports is what each package imports, in the patterns' names: packages of this module without its path.
type imports map[string][]string

// tree reads the imports of all files but tests. It skips the test where the sources cannot be read.
func tree(t *testing.T) imports {
	t.Helper()
	root := ".."
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil {
		t.Skipf("the sources: %v", err)
	}
	found := imports{}
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() && file != root && (name == "testdata" || name == "build" || name[0] == '.' || name[0] == '_') {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		folder, err := filepath.Rel(root, filepath.Dir(file))
		if err != nil {
			return err
		}
		return found.read(filepath.ToSlash(folder), file)
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// read adds the imports of one file. One that was there and is gone belongs to an editor.
func (i imports) read(folder, file string) error {
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if i[folder] == nil {
		i[folder] = []string{}
	}
	for _, spec := range f.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return err
		}
		name = strings.TrimPrefix(name, module+"/")
		if !slices.Contains(i[folder], name) {
			i[folder] = append(i[folder], name)
		}
	}
	return nil
}

// classes are the packages that hal/board lists.
func (i imports) classes() []string {
	var all []string
	for _, name := range i["hal/board"] {
		if strings.HasPrefix(name, "hal/") && name != "hal/wire" {
			all = append(all, name)
		}
	}
	return all
}

// daemon is whatever cmd/halberd links of this module.
func (i imports) daemon() []string {
	all := []string{"cmd/halberd"}
	for n := 0; n < len(all); n++ {
		for _, name := range i[all[n]] {
			if _, ours := i[name]; ours && !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
	}
	return all
}

// checker applies rules to a tree.
type checker struct {
	tree            imports
	classes, daemon []string
}

func newChecker(i imports) *checker { return &checker{i, i.classes(), i.daemon()} }

func (c *checker) matches(pattern, name string) bool {
	switch pattern {
	case "<class>":
		return slices.Contains(c.classes, name)
	case "<daemon>":
		return slices.Contains(c.daemon, name)
	case "*":
		_, ours := c.tree[name]
		return ours
	}
	if above, ok := strings.CutSuffix(pattern, "/..."); ok {
		return name == above || strings.HasPrefix(name, above+"/")
	}
	return pattern == name
}

// forbids reports whether a rule forbids an edge. What a package says about what stands below it does not forbid the package itself.
func (c *checker) forbids(r rule, from, to string) bool {
	excepted := func(name string) bool { return slices.Contains(strings.Fields(r.except), name) }
	return from != to && c.matches(r.from, from) && c.matches(r.to, to) && !excepted(from) && !excepted(to)
}

// broken lists the edges that the rules forbid, with the reasons.
func (c *checker) broken() []string {
	var all []string
	for from, list := range c.tree {
		for _, to := range list {
			for _, r := range rules {
				if c.forbids(r, from, to) {
					all = append(all, fmt.Sprintf("%s imports %s: %s", from, to, r.reason))
				}
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func TestDependencies(t *testing.T) {
	i := tree(t)
	if !slices.Contains(i["hal"], "hal/wire") || len(i.classes()) == 0 || !slices.Contains(i.daemon(), "service/dispatch") {
		t.Fatalf("read %d packages, %q of them classes and %q the daemon: the tree is not what the rules are for", len(i), i.classes(), i.daemon())
	}
	for _, problem := range newChecker(i).broken() {
		t.Error(problem)
	}
}

// Each rule finds the edge that stands beside it, added to a tree in order, and nothing is found without it.
func TestDependencyRulesFind(t *testing.T) {
	for _, r := range rules {
		t.Run(r.from+" to "+r.to, func(t *testing.T) {
			from, to, _ := strings.Cut(r.example, " ")
			i := orderly()
			if got := newChecker(i).broken(); len(got) > 0 {
				t.Fatalf("found %q in a tree in order", got)
			}
			c := newChecker(i)
			i[from] = append(i[from], to)
			if got, want := c.broken(), from+" imports "+to+": "+r.reason; !slices.Contains(got, want) {
				t.Errorf("found %q, want %q", got, want)
			}
		})
	}
}

// orderly is a tree that keeps the rules, with the exceptions that they make.
func orderly() imports {
	return imports{
		"cmd/halberd":               {"hal", "hal/board", "hal/sim", "hal/kernel", "init/activate", "init/journal", "service", "flag", "os"},
		"cmd/halctl":                {"service/client", "hal", "hal/board", "encoding/json", "os/user", "flag"},
		"hal":                       {"hal/wire", "fmt"},
		"hal/wire":                  {"errors"},
		"hal/board":                 {"hal", "hal/led", "hal/gpio"},
		"hal/led":                   {"hal", "hal/sysfs"},
		"hal/gpio":                  {"hal", "hal/sysfs", "hal/uapi", "github.com/warthog618/go-gpiocdev/uapi"},
		"hal/kernel":                {"golang.org/x/sys/unix"},
		"hal/sysfs":                 {"hal"},
		"hal/uapi":                  {"github.com/warthog618/go-gpiocdev/uapi"},
		"hal/sim":                   {"hal", "hal/uapi", "math/rand/v2"},
		"hal/haltest":               {"hal", "hal/wire", "testing"},
		"hal/sim/simtest":           {"hal", "hal/haltest", "testing", "encoding/json", "github.com/BurntSushi/toml"},
		"service":                   {"hal", "init/notify", "service/dispatch", "service/policy", "service/listen", "service/loop", "service/audit", "service/frame", "service/config"},
		"service/peer":              {"golang.org/x/sys/unix"},
		"service/frame":             {"golang.org/x/sys/unix"},
		"service/loop":              {"time"},
		"service/listen":            {"service/peer"},
		"service/dispatch":          {"hal", "hal/wire"},
		"service/policy":            {"hal", "service/config"},
		"service/config":            {"hal", "hal/wire", "github.com/BurntSushi/toml"},
		"service/audit":             {"hal", "log/slog"},
		"service/state":             {"os"},
		"service/sandbox":           {"golang.org/x/sys/unix"},
		"service/client":            {"encoding/json"},
		"service/servicetest":       {"service", "hal/board", "hal/sim", "testing"},
		"service/config/configtest": {"hal", "testing"},
		"init/notify":               {"github.com/coreos/go-systemd/v22/daemon"},
		"init/journal":              {"github.com/coreos/go-systemd/v22/journal"},
		"init/activate":             {"service/listen", "service/peer"},
		"init/power":                {"hal", "hal/wire"},
	}
}

// The compiler refuses `import ".../init"`, so no package may stand there, and a package of odds and ends has no noun.
func TestPackageNames(t *testing.T) {
	for folder := range tree(t) {
		switch base := path.Base(folder); {
		case folder == "init":
			t.Error("there is a package in init: nothing could import it")
		case base == "util" || base == "utils" || base == "common" || base == "misc" || base == "helper" || base == "helpers":
			t.Errorf("%s: the name says nothing", folder)
		}
	}
}

// linked are the packages that may not be linked into the daemon by anybody's hand, and those that may carry the ones we cannot keep out.
var linked = map[string][]string{
	"net/http": nil, "crypto/tls": nil, "text/template": nil, "html/template": nil, "os/user": nil, "testing": nil, "plugin": nil, "go/ast": nil, "encoding/gob": nil, "encoding/xml": nil,
	"runtime/cgo":   nil,
	"encoding/json": {"log/slog", "github.com/BurntSushi/toml"}, // each takes its Number or Marshaler; the linker drops most of it
}

// smuggled lists who imports what is not to be linked.
func smuggled(packages map[string][]string) []string {
	var all []string
	for from, list := range packages {
		for _, to := range list {
			if carriers, forbidden := linked[to]; forbidden && !slices.Contains(carriers, from) {
				all = append(all, from+" brings "+to+" into the daemon")
			}
		}
	}
	slices.Sort(all)
	return all
}

// What other modules bring with them is asked of the go tool.
func TestLinkedIntoTheDaemon(t *testing.T) {
	tree(t)
	list := exec.Command("go", "list", "-deps", "-json=ImportPath,Imports", "./cmd/halberd")
	list.Dir = ".."
	list.Env = append(os.Environ(), "CGO_ENABLED=0")
	var said strings.Builder
	list.Stderr = &said
	out, err := list.Output()
	if err != nil {
		t.Skipf("go list: %v: %s", err, said.String())
	}
	packages := map[string][]string{}
	for decoder := json.NewDecoder(strings.NewReader(string(out))); decoder.More(); {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := decoder.Decode(&p); err != nil {
			t.Fatal(err)
		}
		packages[p.ImportPath] = p.Imports
	}
	if packages[module+"/service/dispatch"] == nil {
		t.Fatalf("go list gives %d packages, and service/dispatch is none of them", len(packages))
	}
	for _, problem := range smuggled(packages) {
		t.Error(problem)
	}
}

func TestSmugglersAreFound(t *testing.T) {
	got := smuggled(map[string][]string{"log/slog": {"encoding/json"}, "example.org/x": {"net/http", "fmt", "encoding/json"}})
	want := []string{"example.org/x brings encoding/json into the daemon", "example.org/x brings net/http into the daemon"}
	if !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
}
