package hal

import (
	"syscall"

	"github.com/halberd-io/halberd/hal/wire"
)

// File is a descriptor that a reply hands over. A handler puts one there only where it succeeds; from then on it is the reply's, and closed once it is sent, or cannot be.
type File struct{ FD int }

// File is a required result that names a descriptor which rides the reply, by its index. A method with one is not offered to datagrams.
func (f *Fields) File(name string, p *File, doc string) {
	switch f.mode {
	case describing:
		f.declare(Field{Name: name, Kind: FileIndex, Max: 0, Doc: doc})
	case encoding:
		f.key(name)
		f.out = wire.AppendInt(f.out, int64(len(f.files)))
		f.files = append(f.files, p.FD)
	}
}

// passesFiles reports whether results have a descriptor.
func passesFiles(results []Field) bool {
	for i := range results {
		if results[i].Kind == FileIndex {
			return true
		}
	}
	return false
}

// Files are the descriptors that ride the reply which was encoded last. They become the caller's, who closes them.
func (p Permitted) Files() []int {
	files := p.call.fields.files
	p.call.fields.files = nil
	return files
}

// Discard closes the descriptors of a call that ran and whose reply nobody wants.
func (p Permitted) Discard() {
	if p.call.Method.PassesFiles {
		p.Reply(nil)
		CloseFiles(p.Files())
	}
}

// CloseFiles closes descriptors that were to ride a reply.
func CloseFiles(files []int) {
	for _, fd := range files {
		_ = syscall.Close(fd)
	}
}
