package audit

import (
	"errors"
	"math"
	"strconv"

	"github.com/halberd-io/halberd/hal"
)

// Decision is what became of a call, or of a message that was none.
type Decision uint8

// The decisions.
const (
	Denied  Decision = iota // a call that is not permitted, or not now
	Allowed                 // a call that is permitted
	Dropped                 // a message that broke the protocol, most often with its connection
)

var decisions = []string{"denied", "allowed", "dropped"}

// String is the decision's name.
func (d Decision) String() string { return decisions[d] }

// maxValue is how long a value may be that is recorded, in bytes.
const maxValue = 256

// transports are the kinds of socket, as service/peer calls them.
var transports = []string{"stream", "seqpacket", "dgram"}

// Record is one decision. What is not known, or does not apply, is left out.
type Record struct {
	TimeUSec       int64
	Decision       string
	Method, Verb   hal.Opt[string]
	UID, GID, PID  int64
	Unit           hal.Opt[string]
	Transport      string
	Devices        hal.Opt[[]string]
	Uncovered      hal.Opt[string]
	Grant, Reason  hal.Opt[string]
	Parameter      hal.Opt[string]
	Value          hal.Opt[string]
	RetryAfterMSec hal.Opt[int64]
	Omitted        int64
	OmittedOthers  hal.Opt[int64]
}

// Fields declares the fields. The log has them under the same names.
func (r *Record) Fields(f *hal.Fields) {
	f.Int("timeUSec", &r.TimeUSec, hal.Microseconds, "When, by CLOCK_REALTIME: since 1970 in UTC.")
	f.Enum("decision", &r.Decision, decisions, "denied: a call that no grant covers, or none with a token. allowed: a permitted call. dropped: a message that broke the protocol, most often with its connection.")
	f.OptText("method", &r.Method, "The method's full name; left out of what was dropped.")
	f.OptEnum("verb", &r.Verb, hal.Verbs[:], "Its verb.")
	f.IntIn("uid", &r.UID, 0, math.MaxUint32, hal.Unitless, "The caller's user.")
	f.IntIn("gid", &r.GID, 0, math.MaxUint32, hal.Unitless, "The caller's primary group.")
	f.Int("pid", &r.PID, hal.Unitless, "The process that connected, or that sent the datagram, which may have ended since; 0 where it is not known.")
	f.OptText("unit", &r.Unit, "The caller's systemd unit, where it is known.")
	f.Enum("transport", &r.Transport, transports, "The kind of socket.")
	f.OptTexts("devices", &r.Devices, 1, 64, "The devices that the call names, in its order.")
	f.OptText("uncovered", &r.Uncovered, "The first of them that is not covered.")
	f.OptText("grant", &r.Grant, "The grant that permits the call, or the one that came nearest.")
	f.OptText("reason", &r.Reason, "Why not, for a person.")
	f.OptText("parameter", &r.Parameter, "The parameter that is not within the limits of the grant that came nearest, where it has one value.")
	f.OptText("value", &r.Value, "That value, a number in decimal.")
	f.OptInt("retryAfterMSec", &r.RetryAfterMSec, hal.Milliseconds, "A grant covers the call, and has a token after this time.")
	f.Int("omitted", &r.Omitted, hal.Unitless, "How many records of the same uid were left out before this one, because there were too many.")
	f.OptInt("omittedOthers", &r.OmittedOthers, hal.Unitless, "How many records of other uids were left out that no record of theirs will tell of: too many uids had too many.")
}

// Call says which method was called.
func (r *Record) Call(m *hal.Method) {
	r.Method, r.Verb = hal.Some(m.FullName()), hal.Some(m.Verb.String())
}

// Name says which devices a call names.
func (r *Record) Name(call *hal.Call) {
	for i := range call.Devices() {
		r.Devices.Set = true
		r.Devices.Value = append(r.Devices.Value, call.DeviceID(i))
	}
}

// Permit says which grant permits the call; "" for a method that is open to all.
func (r *Record) Permit(grant string) { r.Grant = some(grant) }

// Refuse says why the call was denied.
func (r *Record) Refuse(err error) {
	var (
		denied  *hal.PermissionDenied
		limited *hal.RateLimited
	)
	r.Reason = hal.Some(err.Error())
	switch {
	case errors.As(err, &denied):
		r.Reason, r.Grant, r.Uncovered = hal.Some(denied.Reason), denied.Grant, denied.Device
		r.outside(denied.Outside)
	case errors.As(err, &limited):
		r.RetryAfterMSec = hal.Some(limited.RetryAfterMSec)
	}
}

func (r *Record) outside(o *hal.Outside) {
	if o == nil {
		return
	}
	value := o.Value.Text
	switch o.Value.Kind {
	case hal.Int:
		value = strconv.FormatInt(o.Value.Int, 10)
	case hal.Bool:
		value = strconv.FormatBool(o.Value.Bool)
	}
	if len(value) <= maxValue {
		r.Parameter, r.Value = hal.Some(o.Parameter), hal.Some(value)
	}
}

// some makes an optional field of a string that may be empty.
func some(s string) hal.Opt[string] { return hal.Opt[string]{Value: s, Set: s != ""} }
