package config

import (
	"github.com/halberd-io/halberd/hal"
)

// PolicyFiles are the grants of all files in policy.d, checked against the catalog. It is read and then never changed.
type PolicyFiles struct {
	Grants   []Grant // in the order of the files' names, and of the lines in them
	Files    []string
	Warnings []Warning
	SubUIDs  SubUIDs // of this machine
}

// Grant is one [[grant]]. What is nil was not given.
type Grant struct {
	ID            string
	File          string
	Line          int
	Users, Groups IDs
	Units, Labels []string
	Methods       []string // full names, INTERFACE.* and io.halberd.*
	Verbs         []hal.Verb
	Devices       []Pattern
	Where         []Limit
	Rate          Rate
}

// loader reads the files of one policy.
type loader struct {
	options       *Options
	catalog       *hal.Catalog
	users, groups *accounts
	taken         map[string]string // where each grant's id was given
}

// LoadPolicy reads policy.d. The error joins everything that is wrong, each an *Error; then there is no policy. Names that do not resolve are warnings, or errors with
// Options.Strict. It reads files, /etc/subuid too, and so may block.
func LoadPolicy(opt Options, cat *hal.Catalog) (*PolicyFiles, error) {
	files, faults := opt.all("policy.d")
	p, err := loadPolicy(opt, cat, files, faults)
	if err != nil {
		return nil, err
	}
	ranges, e := opt.subUIDs()
	if e != nil {
		p.Warnings = append(p.Warnings, Warning(*e))
	}
	p.SubUIDs = ranges
	return p, nil
}

// ParsePolicy reads the text of one policy file, as LoadPolicy does. The name is what messages call it.
func ParsePolicy(opt Options, cat *hal.Catalog, name, text string) (*PolicyFiles, error) {
	return loadPolicy(opt, cat, []file{{name, text}}, nil)
}

func loadPolicy(opt Options, cat *hal.Catalog, files []file, faults []*Error) (*PolicyFiles, error) {
	l := &loader{
		options: &opt, catalog: cat, taken: map[string]string{},
		users: &accounts{options: &opt, path: "/etc/passwd"}, groups: &accounts{options: &opt, path: "/etc/group"},
	}
	p := &PolicyFiles{}
	for _, f := range files {
		d := l.file(p, f)
		faults = append(faults, d.faults...)
		p.Warnings = append(p.Warnings, d.warnings...)
		p.Files = append(p.Files, f.path)
	}
	for _, a := range []*accounts{l.users, l.groups} {
		if a.failed != nil {
			faults = append(faults, a.failed)
		}
	}
	if err := join(faults); err != nil {
		return nil, err
	}
	return p, nil
}

// file reads one file's grants.
func (l *loader) file(p *PolicyFiles, f file) *document {
	d, t := open(f.path, f.text)
	if t == nil {
		return d
	}
	for _, g := range t.tables("grant") {
		p.Grants = append(p.Grants, l.grant(g))
	}
	t.finish()
	return d
}

// doubt notes what was most likely meant otherwise.
func (l *loader) doubt(d *document, path, format string, args ...any) {
	if l.options.Strict {
		d.fail(path, format, args...)
	} else {
		d.warn(path, format, args...)
	}
}
