package client

import (
	"fmt"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Where a daemon listens when nobody says otherwise.
const (
	pathSocket     = "stream:/run/halberd/io.halberd"
	abstractSocket = "stream:@halberd"
)

// maxName is the longest name of a socket in bytes, its @ or / included: sun_path holds 108, one of which is the NUL after a path (unix(7)).
const maxName = 107

// address is where a server listens: a socket type, and a path or an abstract name that begins with @.
type address struct {
	kind int // unix.SOCK_STREAM, SOCK_SEQPACKET or SOCK_DGRAM
	name string
}

var kinds = map[string]int{"stream": unix.SOCK_STREAM, "seqpacket": unix.SOCK_SEQPACKET, "dgram": unix.SOCK_DGRAM}

// parse reads an address as people type it: stream:@halberd.
func parse(text string) (address, error) {
	kind, name, _ := strings.Cut(text, ":")
	a := address{kinds[kind], name}
	if a.kind == 0 || !validName(name) {
		return address{}, fmt.Errorf("%w %q: write it as stream:@halberd, stream:/run/halberd/io.halberd, seqpacket:@halberd or dgram:@halberd", ErrAddress, text)
	}
	return a, nil
}

func validName(name string) bool {
	if strings.ContainsRune(name, 0) || len(name) > maxName {
		return false
	}
	return filepath.IsAbs(name) || len(name) > 1 && name[0] == '@'
}

func (a address) String() string {
	for text, kind := range kinds {
		if kind == a.kind {
			return text + ":" + a.name
		}
	}
	return a.name
}

// candidates lists where to look for a daemon, the places that are hardest to forge first: only root can create the path in /run, only the user
// the one in the runtime directory of their own, and anybody can take an abstract name that is free.
func candidates(override, runtimeDir string, uid int) []string {
	switch {
	case override != "":
		return []string{override}
	case uid == 0 || !filepath.IsAbs(runtimeDir):
		return []string{pathSocket, abstractSocket}
	}
	return []string{pathSocket, "stream:" + filepath.Join(runtimeDir, "halberd/io.halberd"), abstractSocket}
}
