package keep

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"golang.org/x/sys/unix"
)

const (
	journalName = "journal"
	magic       = "halberd kept descriptors, version 1\n"
	headSize    = 64
	slotSize    = 512
	slotHead    = 4 + 8 + 1 + 2 + 2 // checksum, sequence, whether there is a descriptor, lengths
	maxEntries  = 511               // and the journal are what halberd.service has room for
	maxName     = 160
	maxRecord   = slotSize - slotHead - maxName
)

// journal is the file in memory.
type journal struct{ fd int }

// slot is what one slot says. One without a name says that the entry is free.
type slot struct {
	sequence uint64
	name     string
	data     []byte
	hasFD    bool
}

func newJournal() (journal, error) {
	fd, err := unix.MemfdCreate("halberd-journal", unix.MFD_CLOEXEC)
	if err != nil {
		return journal{-1}, fmt.Errorf("cannot make the journal: %w", err)
	}
	head := make([]byte, headSize)
	copy(head, magic)
	if _, err = unix.Pwrite(fd, head, 0); err == nil {
		err = unix.Ftruncate(fd, headSize+2*maxEntries*slotSize)
	}
	if err != nil {
		unix.Close(fd)
		return journal{-1}, fmt.Errorf("cannot make the journal: %w", err)
	}
	return journal{fd}, nil
}

// openJournal checks one that was inherited.
func openJournal(fd int) (journal, error) {
	head := make([]byte, len(magic))
	var stat unix.Stat_t
	n, err := unix.Pread(fd, head, 0)
	if err == nil {
		err = unix.Fstat(fd, &stat)
	}
	if err != nil || n != len(magic) || string(head) != magic || stat.Size != headSize+2*maxEntries*slotSize {
		return journal{-1}, errors.New("the journal in the store is of another version, or damaged")
	}
	return journal{fd}, nil
}

func offset(number int, half uint64) int64 {
	return headSize + (2*int64(number)+int64(half))*slotSize
}

// read gives the newer of an entry's two slots that is whole.
func (j journal) read(number int) (newest slot, ok bool) {
	for half := range uint64(2) {
		var raw [slotSize]byte
		if n, err := unix.Pread(j.fd, raw[:], offset(number, half)); err != nil || n != slotSize {
			continue
		}
		if s, whole := parse(raw[:]); whole && (!ok || s.sequence > newest.sequence) {
			newest, ok = s, true
		}
	}
	return newest, ok
}

// write writes the slot that is not the newest.
func (j journal) write(number int, s slot) error {
	n, err := unix.Pwrite(j.fd, s.bytes(), offset(number, s.sequence%2))
	if err == nil && n != slotSize {
		err = unix.ENOSPC
	}
	if err != nil {
		return fmt.Errorf("cannot write the journal: %w", err)
	}
	return nil
}

// clear takes both slots of an entry out, whatever they say: the older one first, so that none says again what was said before.
func (j journal) clear(number int, newest slot) error {
	for _, half := range []uint64{newest.sequence + 1, newest.sequence} {
		if _, err := unix.Pwrite(j.fd, make([]byte, slotSize), offset(number, half%2)); err != nil {
			return fmt.Errorf("cannot write the journal: %w", err)
		}
	}
	return nil
}

func (s *slot) bytes() []byte {
	raw := make([]byte, slotSize)
	binary.LittleEndian.PutUint64(raw[4:], s.sequence)
	if s.hasFD {
		raw[12] = 1
	}
	binary.LittleEndian.PutUint16(raw[13:], uint16(len(s.name)))
	binary.LittleEndian.PutUint16(raw[15:], uint16(len(s.data)))
	copy(raw[slotHead:], s.name)
	copy(raw[slotHead+len(s.name):], s.data)
	binary.LittleEndian.PutUint32(raw, crc32.ChecksumIEEE(raw[4:]))
	return raw
}

func parse(raw []byte) (s slot, whole bool) {
	if binary.LittleEndian.Uint32(raw) != crc32.ChecksumIEEE(raw[4:]) {
		return s, false
	}
	name, data := int(binary.LittleEndian.Uint16(raw[13:])), int(binary.LittleEndian.Uint16(raw[15:]))
	if slotHead+name+data > slotSize {
		return s, false
	}
	return slot{
		sequence: binary.LittleEndian.Uint64(raw[4:]), hasFD: raw[12] == 1,
		name: string(raw[slotHead:][:name]), data: raw[slotHead+name:][:data],
	}, true
}
