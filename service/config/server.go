package config

import (
	"log/slog"
	"time"

	"github.com/halberd-io/halberd/hal"
)

// Server is halberd.toml: the limits of the daemon, how much it logs, which decisions it records, and what it confines itself to.
type Server struct {
	LogLevel slog.Level
	Audit    Audit
	Sandbox  Sandbox
	Limits   Limits
}

// Audit says which permitted calls are recorded. What is denied or dropped always is.
type Audit uint8

// What audit may be in halberd.toml.
const (
	AuditHazards Audit = iota // hazard and administer
	AuditDenials              // none
	AuditAll
)

// From is the least verb of the permitted calls that are recorded; none has it where none are.
func (a Audit) From() hal.Verb {
	switch a {
	case AuditDenials:
		return hal.Administer + 1
	case AuditAll:
		return hal.Observe
	}
	return hal.Hazard
}

// Sandbox says what becomes of a system call that the daemon does not need.
type Sandbox uint8

// What sandbox may be in halberd.toml.
const (
	SandboxErrno Sandbox = iota // it fails
	SandboxKill                 // it ends the daemon
	SandboxOff                  // there is no sandbox
)

// Limits bound what peers can make the daemon hold. Exceeding one is answered io.halberd.LimitExceeded with the key's name in halberd.toml.
type Limits struct {
	Connections             int           // connections
	ConnectionsReserved     int           // connections-reserved, a part of connections
	ConnectionsPerUID       int           // connections-per-uid
	QueuedBytes             int           // queued-bytes, of one connection
	QueuedBytesPerUID       int           // queued-bytes-per-uid
	WriteTimeout            time.Duration // write-timeout-msec
	MessageTimeout          time.Duration // message-timeout-msec
	WatchedDevicesPerUID    int           // watched-devices-per-uid
	ClaimedDevicesPerUID    int           // claimed-devices-per-uid
	PassedDescriptorsPerUID int           // passed-descriptors-per-uid
	Reclaim                 time.Duration // reclaim-msec
}

// limitKeys are the keys of [limits]. All may be left out.
type limitKeys struct {
	connections, reserved, perUID     hal.Opt[int64]
	queued, queuedPerUID              hal.Opt[int64]
	write, message                    hal.Opt[int64]
	watched, claimed, passed, reclaim hal.Opt[int64]
}

// Fields declares the keys, with their ranges.
func (k *limitKeys) Fields(f *hal.Fields) {
	f.OptIntIn("connections", &k.connections, 2, 100_000, hal.Unitless,
		"How many connections there may be in all. One too many is accepted, answered LimitExceeded at its first call, and closed. 1024 by default.")
	f.OptIntIn("connections-reserved", &k.reserved, 0, 99_999, hal.Unitless,
		"How many of these are kept for uid 0. 16 by default.")
	f.OptIntIn("connections-per-uid", &k.perUID, 1, 100_000, hal.Unitless,
		"How many connections one uid may have, and never more than a quarter of what is free. 64 by default.")
	f.OptIntIn("queued-bytes", &k.queued, 65_536, 1<<30, hal.Bytes,
		"From how many bytes of replies on, queued for a slow reader, nothing more is read from it. 131072 by default.")
	f.OptIntIn("write-timeout-msec", &k.write, 1, 3_600_000, hal.Milliseconds,
		"How long such a reader may make no progress before it is closed. 10000 by default.")
	f.OptIntIn("message-timeout-msec", &k.message, 1, 3_600_000, hal.Milliseconds,
		"How long a peer may take to finish a message that it started. 10000 by default.")
	f.OptIntIn("queued-bytes-per-uid", &k.queuedPerUID, 65_536, 1<<30, hal.Bytes,
		"How many bytes may be queued for all connections of one uid. 1048576 by default.")
	f.OptIntIn("watched-devices-per-uid", &k.watched, 0, 100_000, hal.Unitless,
		"How many devices one uid may watch. 256 by default.")
	f.OptIntIn("claimed-devices-per-uid", &k.claimed, 0, 100_000, hal.Unitless,
		"How many devices one uid may have claimed. 64 by default.")
	f.OptIntIn("passed-descriptors-per-uid", &k.passed, 0, 253, hal.Unitless,
		"How many descriptors may be on their way to one uid, passed and not yet received. 8 by default.")
	f.OptIntIn("reclaim-msec", &k.reclaim, 0, 3_600_000, hal.Milliseconds,
		"How long after a restart a device is kept for the uid that had claimed it. 5000 by default.")
}

// limits fills in the defaults. Of two limits that depend on each other, a default gives way to what is written.
func (k *limitKeys) limits() Limits {
	connections, queuedPerUID := k.connections.Or(1024), max(1<<20, k.queued.Value)
	return Limits{
		Connections:             int(connections),
		ConnectionsReserved:     int(k.reserved.Or(min(16, connections-1))),
		ConnectionsPerUID:       int(k.perUID.Or(min(64, connections))),
		QueuedBytes:             int(k.queued.Or(min(128<<10, k.queuedPerUID.Or(queuedPerUID)))),
		QueuedBytesPerUID:       int(k.queuedPerUID.Or(queuedPerUID)),
		WriteTimeout:            msec(k.write.Or(10_000)),
		MessageTimeout:          msec(k.message.Or(10_000)),
		WatchedDevicesPerUID:    int(k.watched.Or(256)),
		ClaimedDevicesPerUID:    int(k.claimed.Or(64)),
		PassedDescriptorsPerUID: int(k.passed.Or(8)),
		Reclaim:                 msec(k.reclaim.Or(5_000)),
	}
}

func msec(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

// DefaultServer is what holds without a halberd.toml.
func DefaultServer() *Server {
	return &Server{LogLevel: slog.LevelInfo, Limits: new(limitKeys).limits()}
}

// LimitKeys describes the keys of [limits], for the reference.
func LimitKeys() []hal.Field { return hal.Describe(new(limitKeys)) }

// LoadServer reads halberd.toml. Without the file the defaults hold.
func LoadServer(opt Options) (*Server, error) {
	f, e := opt.one("halberd.toml")
	switch {
	case e != nil:
		return nil, e
	case f == nil:
		return DefaultServer(), nil
	}
	return ParseServer(f.path, f.text)
}

// ParseServer reads the text of a halberd.toml. The name is what messages call it.
func ParseServer(name, text string) (*Server, error) {
	s := DefaultServer()
	d, t := open(name, text)
	if t != nil {
		s.read(t)
	}
	if err := join(d.faults); err != nil {
		return nil, err
	}
	return s, nil
}

var levels = map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warning": slog.LevelWarn, "error": slog.LevelError}

var audits = map[string]Audit{"denials": AuditDenials, "hazards": AuditHazards, "all": AuditAll}

var sandboxes = map[string]Sandbox{"errno": SandboxErrno, "kill": SandboxKill, "off": SandboxOff}

// ServerKeys lists the keys of halberd.toml beside its tables.
func ServerKeys() []Key {
	return []Key{
		{"log-level", `The least important message that is logged: debug, info, warning or error. "info" by default. Records of decisions are logged whatever it is.`},
		{"sandbox", `What happens to the daemon when it does something that it never needs: "errno" has it fail, "kill" ends the daemon at a system call, "off" is for finding out whether the sandbox is in the way. "errno" by default. ` +
			`The sandbox is entered once everything is open, and takes away capabilities, files, and system calls.`},
		{"audit", `Which permitted calls are recorded, beside all that is denied or dropped: "denials" for none, "hazards" for those of the verbs hazard and administer, "all". "hazards" by default. ` +
			`Of each kind, each uid has ten records and then one a second; how many were left out stands in the next one.`},
	}
}

func (s *Server) read(t *table) {
	// log-level is the least important message that is logged.
	if name, ok := t.text("log-level"); ok {
		level, known := levels[name]
		if !known {
			t.fail("log-level", "log-level must be debug, info, warning or error")
		}
		s.LogLevel = level
	}
	// sandbox says what becomes of a system call that is not needed.
	if name, ok := t.text("sandbox"); ok {
		sandbox, known := sandboxes[name]
		if !known {
			t.fail("sandbox", "sandbox must be errno, kill or off")
		}
		s.Sandbox = sandbox
	}
	// audit says which permitted calls are recorded.
	if name, ok := t.text("audit"); ok {
		audit, known := audits[name]
		if !known {
			t.fail("audit", "audit must be denials, hazards or all")
		}
		s.Audit = audit
	}
	if inner := t.inner("limits"); inner != nil {
		s.Limits = inner.limits()
	}
	t.finish()
}

// limits reads [limits], each key for itself so that everything wrong is reported.
func (t *table) limits() Limits {
	for _, f := range LimitKeys() {
		if v, given := t.take(f.Name); given {
			t.check(f.Name, v)
		}
	}
	t.finish()
	var keys limitKeys
	if len(t.doc.faults) == 0 {
		_ = hal.Decode(t.doc.appendObject(nil, t.path, t.values), &keys)
	}
	l := keys.limits()
	t.together(&l)
	return l
}

// check reads one limit alone.
func (t *table) check(key string, v any) {
	before := len(t.doc.faults)
	text := t.doc.appendObject(nil, t.path, map[string]any{key: v})
	if before < len(t.doc.faults) {
		return
	}
	if err := hal.Decode(text, new(limitKeys)); err != nil {
		t.invalid(err)
	}
}

// together compares the limits with each other.
func (t *table) together(l *Limits) {
	if l.ConnectionsReserved >= l.Connections {
		t.fail("connections-reserved", "connections-reserved must be less than connections")
	}
	if l.ConnectionsPerUID > l.Connections {
		t.fail("connections-per-uid", "connections-per-uid must not be more than connections")
	}
	if l.QueuedBytes > l.QueuedBytesPerUID {
		t.fail("queued-bytes", "queued-bytes must not be more than queued-bytes-per-uid")
	}
}
