package client

import (
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// DatagramTimeout is how long a call over datagrams waits for its answer unless WithTimeout says otherwise: longer than the longest pulse (10 s).
const DatagramTimeout = 15 * time.Second

// Option changes how a Client behaves.
type Option func(*settings)

type settings struct {
	servers   []uint32
	anyServer bool
	timeout   time.Duration
	reconnect bool
}

func newSettings(kind int, uid uint32, options []Option) *settings {
	s := &settings{servers: []uint32{0, uid}, reconnect: true}
	if kind == unix.SOCK_DGRAM {
		s.timeout = DatagramTimeout
	}
	for _, option := range options {
		option(s)
	}
	return s
}

func (s *settings) trusts(uid uint32) bool { return s.anyServer || slices.Contains(s.servers, uid) }

// WithServerUIDs names the uids whose servers are trusted. Without it, they are 0 and the caller's own effective uid.
func WithServerUIDs(uids ...uint32) Option { return func(s *settings) { s.servers = uids } }

// WithAnyServer trusts whoever listens.
func WithAnyServer() Option { return func(s *settings) { s.anyServer = true } }

// WithTimeout bounds Dial and each Call, CallFDs and Oneway, waiting for calls before it and dialling again included. It does not bound More, but for
// the one answer that a datagram can bring. 0 is no bound, which is the default but for datagrams.
func WithTimeout(d time.Duration) Option { return func(s *settings) { s.timeout = d } }

// WithReconnect says whether a lost connection is replaced by the next call; the default is true. Without it, every call after the loss fails with
// ErrConnectionLost. It means nothing to datagrams.
func WithReconnect(reconnect bool) Option { return func(s *settings) { s.reconnect = reconnect } }
