package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// What can go wrong before, beside and instead of a reply. The package documentation says which of them leave a call possibly carried out.
var (
	ErrAddress         = errors.New("bad address")           // not an address that this package understands
	ErrNoDaemon        = errors.New("no daemon")             // nobody listens: ECONNREFUSED, ENOENT
	ErrUntrustedServer = errors.New("server not trusted")    // its uid is none of those expected
	ErrConnectionLost  = errors.New("connection lost")       // the server, or the kernel, ended it
	ErrProtocol        = errors.New("not a reply")           // too long, not JSON, unknown keys, unasked continues, lost descriptors
	ErrClosed          = errors.New("the client was closed") // by Close
	errUnsent          = lost("nothing was sent")            // the call cannot have been carried out
	errUnanswered      = lost("the call may have been carried out")
	errTooLong         = fmt.Errorf("%w: it is longer than %d bytes", ErrProtocol, maxMessage)
)

func lost(what string) error { return fmt.Errorf("%w: %s", ErrConnectionLost, what) }

// Names of the errors that a server answers, for IsError.
const (
	MethodNotFound       = "org.varlink.service.MethodNotFound"
	MethodNotImplemented = "org.varlink.service.MethodNotImplemented"
	InterfaceNotFound    = "org.varlink.service.InterfaceNotFound"
	InvalidParameter     = "org.varlink.service.InvalidParameter"
	PermissionDenied     = "org.varlink.service.PermissionDenied"
	ExpectedMore         = "org.varlink.service.ExpectedMore"

	RateLimited     = "io.halberd.RateLimited"
	NoSuchDevice    = "io.halberd.NoSuchDevice"
	DeviceGone      = "io.halberd.DeviceGone"
	Busy            = "io.halberd.Busy"
	NotSupported    = "io.halberd.NotSupported"
	OutOfRange      = "io.halberd.OutOfRange"
	Interlocked     = "io.halberd.Interlocked"
	LimitExceeded   = "io.halberd.LimitExceeded"
	Timeout         = "io.halberd.Timeout"
	MessageTooLarge = "io.halberd.MessageTooLarge"

	System = "io.systemd.System"
)

// Error is a call's refusal, as the server answered it. MessageTooLarge is also made here, for a request that no server would take.
type Error struct {
	Name       string          // interface and name: io.halberd.Busy
	Parameters json.RawMessage // an object, never empty
}

// IsError reports whether err is a refusal of that name.
func IsError(err error, name string) bool {
	refusal, ok := errors.AsType[*Error](err)
	return ok && refusal.Name == name
}

// Error gives the name with the reason, or with the parameters where there is none.
func (e *Error) Error() string {
	if reason := e.Reason(); reason != "" {
		return e.Name + ": " + reason
	}
	if len(e.Parameters) <= len("{}") {
		return e.Name
	}
	return e.Name + ": " + string(e.Parameters)
}

// Reason is the parameter of that name, for a person to read; empty where there is none.
func (e *Error) Reason() string { return parameter[string](e, "reason") }

// Grant is the id of the grant that came nearest to permitting the call; empty where there is none.
func (e *Error) Grant() string { return parameter[string](e, "grant") }

// RetryAfter is when the call may be tried again (RateLimited, Interlocked); 0 where the server does not say.
func (e *Error) RetryAfter() time.Duration {
	return time.Duration(parameter[int64](e, "retryAfterMSec")) * time.Millisecond
}

// parameter gives one parameter, or the zero value where it is missing or of another type.
func parameter[T any](e *Error, name string) T {
	var fields map[string]json.RawMessage
	var value, none T
	if json.Unmarshal(e.Parameters, &fields) != nil || json.Unmarshal(fields[name], &value) != nil {
		return none
	}
	return value
}
