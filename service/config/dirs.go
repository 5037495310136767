package config

import (
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// Dirs are the folders that files are looked for in, the first of them first. An empty one is left out.
type Dirs struct{ Etc, Run, Lib string }

// Default is where an installed daemon looks.
func Default() Dirs { return Dirs{"/etc/halberd", "/run/halberd", "/usr/lib/halberd"} }

// Only is one folder in place of all three, which then has to be there.
func Only(dir string) Dirs { return Dirs{Etc: dir} }

// Options say where files are read from and how much is asked of them.
type Options struct {
	Dirs Dirs
	// Root is put before every path, of /etc/passwd and /etc/group too, and links do not lead out of it: the folder that an image is in. The folders above it are not asked for their owners.
	Root string
	// TrustCaller takes files that the effective uid owns, beside those of root.
	TrustCaller bool
	// Strict makes errors of warnings.
	Strict bool
}

// layers lists the folders in their order.
func (o *Options) layers() []string {
	var all []string
	for _, dir := range []string{o.Dirs.Etc, o.Dirs.Run, o.Dirs.Lib} {
		if dir != "" {
			all = append(all, dir)
		}
	}
	return all
}

// Folders lists the folders that are read: the layers, and where links in them lead to as things stand, for a process that gives all others up.
func Folders(o Options) []string {
	all := o.layers()
	for _, dir := range o.layers() {
		for _, pattern := range []string{"", "*", "policy.d/*"} {
			names, _ := filepath.Glob(filepath.Join(dir, pattern)) // the pattern is good
			for _, name := range names {
				all = append(all, leads(name)...)
			}
		}
	}
	return all
}

// leads is the folder that a path leads to by links, or that the file is in which it leads to. What is masked leads nowhere.
func leads(name string) []string {
	real, err := filepath.EvalSymlinks(name)
	if err != nil || real == name || real == os.DevNull {
		return nil
	}
	if info, err := os.Stat(real); err == nil && !info.IsDir() {
		real = filepath.Dir(real)
	}
	return []string{real}
}

// present makes sure that the one folder which somebody named is there. Of the usual ones any may be missing.
func (o *Options) present() *Error {
	all := o.layers()
	if len(all) != 1 {
		return nil
	}
	_, found, err := o.list(all[0])
	if err == nil && !found {
		err = fault(all[0], "cannot read: no such folder")
	}
	return err
}

// file is the text of one file that was found.
type file struct{ path, text string }

// one finds the file of a name in the first folder that has it, or gives nil where there is none or it is masked.
func (o *Options) one(name string) (*file, *Error) {
	if err := o.present(); err != nil {
		return nil, err
	}
	for _, dir := range o.layers() {
		path := filepath.Join(dir, name)
		text, state, err := o.read(path, maxFile)
		switch {
		case err != nil:
			return nil, err
		case state == masked:
			return nil, nil
		case state == readable:
			return &file{o.shown(path), text}, nil
		}
	}
	return nil, nil
}

// all finds every *.toml in a folder of that name, each in the first layer that has it, in the order of their names. Those that begin with a dot are editors' own.
func (o *Options) all(folder string) ([]file, []*Error) {
	if err := o.present(); err != nil {
		return nil, []*Error{err}
	}
	var (
		errs  []*Error
		names []string
		found = map[string]*file{}
	)
	for _, dir := range o.layers() {
		dir = filepath.Join(dir, folder)
		listed, _, err := o.list(dir)
		if err != nil {
			errs = append(errs, err)
		}
		for _, name := range listed {
			if _, replaced := found[name]; replaced || !strings.HasSuffix(name, ".toml") || name[0] == '.' {
				continue
			}
			text, state, err := o.read(filepath.Join(dir, name), maxFile)
			if err != nil {
				errs = append(errs, err)
			}
			found[name] = nil
			if state == readable {
				found[name] = &file{o.shown(filepath.Join(dir, name)), text}
				names = append(names, name)
			}
		}
	}
	sort.Strings(names)
	files := make([]file, len(names))
	for i, name := range names {
		files[i] = *found[name]
	}
	return files, errs
}

// shown is a path as messages have it.
func (o *Options) shown(path string) string {
	if o.Root == "" {
		return path
	}
	return filepath.Join(o.Root, path)
}
