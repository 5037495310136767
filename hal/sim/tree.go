package sim

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// node is one place in the tree: a folder, a symbolic link, an attribute or a device node.
type node struct {
	children map[string]*node // of a folder
	target   string           // of a link
	attr     *attribute
	open     func(flags int) (file, error) // of a device node, with the kernel locked
	gone     bool                          // removed: what is still open answers ENODEV
	inode    uint64                        // 0 until somebody asks
}

// attribute is a file of sysfs. A nil show or store makes it write-only or read-only. Both are called with the kernel locked.
type attribute struct {
	show  func() (string, error)
	store func(text string) error
}

func folder() *node { return &node{children: map[string]*node{}} }

// maxLinks is how many symbolic links one path may go through, as in the kernel.
const maxLinks = 40

// lookup walks a path. The last component is followed where it is a link and follow is set.
func (k *Kernel) lookup(p string, follow bool) (*node, error) {
	todo, at, links := split(p), []*node{k.root}, 0
	for len(todo) > 0 {
		name, here := todo[0], at[len(at)-1]
		todo = todo[1:]
		if here.children == nil {
			return nil, unix.ENOTDIR
		}
		if name == ".." {
			at = at[:max(1, len(at)-1)]
			continue
		}
		next := here.children[name]
		switch {
		case next == nil:
			return nil, unix.ENOENT
		case next.target == "" || len(todo) == 0 && !follow:
			at = append(at, next)
		default:
			if links++; links > maxLinks {
				return nil, unix.ELOOP
			}
			if path.IsAbs(next.target) {
				at = at[:1]
			}
			todo = append(split(next.target), todo...)
		}
	}
	return at[len(at)-1], nil
}

func split(p string) []string {
	return slices.DeleteFunc(strings.Split(p, "/"), func(s string) bool { return s == "" || s == "." })
}

// mkdir makes a folder and those on the way to it.
func (k *Kernel) mkdir(p string) *node {
	here := k.root
	for _, name := range split(p) {
		next := here.children[name]
		if next == nil {
			next = folder()
			here.children[name] = next
		}
		here = next
	}
	return here
}

// link makes a symbolic link at p to another absolute path, relative as those in /sys are.
func (k *Kernel) link(p, to string) {
	k.mkdir(path.Dir(p)).children[path.Base(p)] = &node{target: relative(path.Dir(p), to)}
}

func relative(from, to string) string {
	f, t := split(from), split(to)
	for len(f) > 0 && len(t) > 1 && f[0] == t[0] {
		f, t = f[1:], t[1:]
	}
	return strings.Repeat("../", len(f)) + strings.Join(t, "/")
}

// remove takes a node out of the tree with all below it.
func (k *Kernel) remove(p string) {
	parent, err := k.lookup(path.Dir(p), true)
	if err != nil {
		return
	}
	if n := parent.children[path.Base(p)]; n != nil {
		n.vanish()
		delete(parent.children, path.Base(p))
	}
}

func (n *node) vanish() {
	n.gone = true
	for _, c := range n.children {
		c.vanish()
	}
}

func (n *node) names() []string { return slices.Sorted(maps.Keys(n.children)) }

// constant is an attribute that always reads the same.
func constant(text string) *attribute {
	return &attribute{show: func() (string, error) { return text + "\n", nil }}
}

func (n *node) add(name string, a *attribute) *node {
	child := &node{attr: a}
	n.children[name] = child
	return child
}

// addNode adds a device node, which goes away with its device.
func (k *Kernel) addNode(device, path string, open func(flags int) (file, error)) {
	dir, name := path[:strings.LastIndexByte(path, '/')], path[strings.LastIndexByte(path, '/')+1:]
	k.mkdir(dir).children[name] = &node{open: open}
	d := k.devices[device]
	d.paths = append(d.paths, path)
}

// device is a device of a class or bus.
type device struct {
	paths     []string // its folder first, and what goes away with it
	subsystem string
	plug      func() // adds the same hardware again
	unplugged func() // does what else there is to do when it was taken away; may be nil
	hardware  any    // what tests look at and change; may be nil
}

// newDevice makes the folder of a device of a class or bus below /sys/devices, with its links from and to the subsystem. What it has in /sys has to be there before appear is called.
//
// under is the path of its parent below /sys/devices, where each component may have the name of its subsystem behind an equals sign: "platform/soc=platform/i2c-1=i2c/1-0048=i2c".
// A component without one only groups devices.
func (k *Kernel) newDevice(under, list, name string, plug func()) *node {
	parent := "/sys/devices"
	for step := range strings.SplitSeq(under, "/") {
		name, subsystem, found := strings.Cut(step, "=")
		parent += "/" + name
		k.mkdir(parent)
		if found {
			k.link(parent+"/subsystem", "/sys/bus/"+subsystem)
		}
	}
	dir := parent + "/" + name
	class, isClass := strings.CutPrefix(list, "/sys/class/")
	if isClass {
		dir = parent + "/" + class + "/" + name
	}
	n := k.mkdir(dir)
	k.link(dir+"/subsystem", strings.TrimSuffix(list, "/devices"))
	if isClass && under != Virtual {
		k.link(dir+"/device", parent)
	}
	k.link(list+"/"+name, dir)
	k.devices[name] = &device{paths: []string{dir, list + "/" + name}, subsystem: path.Base(strings.TrimSuffix(list, "/devices")), plug: plug}
	return n
}

// appear tells of a device that is all there.
func (k *Kernel) appear(name string) {
	d := k.devices[name]
	k.uevent("add", d.paths[0], d.subsystem)
}

// number gives the lowest number that no device of a kind has. Linux gives the number of a GPIO chip out again only when nobody has the chip open any more; here it is free at once, which is
// harder on those who remember.
func (k *Kernel) number(kind string) string {
	for n := 0; ; n++ {
		if name := fmt.Sprint(kind, n); k.devices[name] == nil {
			return name
		}
	}
}
