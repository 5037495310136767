package hal

import (
	"errors"
	"fmt"
	"math"
	"syscall"
)

// Message is anything with fields that go over the wire: parameters, results, errors, the entries of board.toml.
type Message interface{ Fields(*Fields) }

// Refusal is an error that the caller is answered by its name and fields. Any other error of a method is a failure: it is logged, and
// the caller sees io.systemd.System.
type Refusal interface {
	error
	Message
	ErrorName() string // interface and name: io.halberd.Busy
}

// Refusals lists one of each refusal, as the interface texts declare them.
func Refusals() []Refusal {
	return []Refusal{&RateLimited{}, &NoSuchDevice{}, &DeviceGone{}, &Busy{}, &NotSupported{}, &OutOfRange{}, &Interlocked{},
		&LimitExceeded{}, &Timeout{}, &MessageTooLarge{}, &BadConfiguration{}, &NotSafe{}, &System{}}
}

// InvalidParameter is org.varlink.service.InvalidParameter: missing, unknown, of the wrong type or outside the declared range.
type InvalidParameter struct {
	Parameter string // its path, as messages[0].address
	What      string // what is wrong, for a person; not sent
}

func (e *InvalidParameter) Error() string     { return e.Parameter + ": " + e.What }
func (e *InvalidParameter) ErrorName() string { return "org.varlink.service.InvalidParameter" }

// Fields declares the parameters of the error.
func (e *InvalidParameter) Fields(f *Fields) {
	f.Text("parameter", &e.Parameter, "The parameter, with its path.")
}

// PermissionDenied is org.varlink.service.PermissionDenied. Grant and Reason speak only of grants whose identity matched the caller.
type PermissionDenied struct {
	Reason        string
	Grant, Device Opt[string]
	Outside       *Outside // for the audit; not sent
}

// Outside is a parameter whose one value is not within the limits of the grant that came nearest.
type Outside struct {
	Parameter string // its path, as messages.address
	Value     Scalar
}

func (e *PermissionDenied) Error() string     { return "permission denied: " + e.Reason }
func (e *PermissionDenied) ErrorName() string { return "org.varlink.service.PermissionDenied" }

// Fields declares the parameters of the error.
func (e *PermissionDenied) Fields(f *Fields) {
	f.Text("reason", &e.Reason, "Why, for a person.")
	f.OptText("grant", &e.Grant, "The grant that came nearest.")
	f.OptText("device", &e.Device, "The device that is not covered.")
}

// RateLimited is answered when every grant that covers a call is out of tokens.
type RateLimited struct{ RetryAfterMSec int64 }

func (e *RateLimited) Error() string {
	return fmt.Sprintf("too many calls: try again in %d ms", e.RetryAfterMSec)
}
func (e *RateLimited) ErrorName() string { return "io.halberd.RateLimited" }

// Fields declares the parameters of the error.
func (e *RateLimited) Fields(f *Fields) {
	f.Int("retryAfterMSec", &e.RetryAfterMSec, Milliseconds, "When a token will be there.")
}

// device is what several refusals name.
type device struct{ Class, Device string }

func (e *device) Fields(f *Fields) {
	f.Text("class", &e.Class, "The class of the device.")
	f.Text("device", &e.Device, "Its ID.")
}

// NoSuchDevice is answered when a grant covers the name and there is no such device.
type NoSuchDevice struct{ device }

// MissingDevice makes a NoSuchDevice.
func MissingDevice(class, id string) *NoSuchDevice { return &NoSuchDevice{device{class, id}} }

func (e *NoSuchDevice) Error() string     { return "no such device: " + e.Class + "/" + e.Device }
func (e *NoSuchDevice) ErrorName() string { return "io.halberd.NoSuchDevice" }

// DeviceGone is answered when the device was unplugged (ENODEV).
type DeviceGone struct{ device }

// GoneDevice makes a DeviceGone.
func GoneDevice(class, id string) *DeviceGone { return &DeviceGone{device{class, id}} }

func (e *DeviceGone) Error() string     { return "the device is gone: " + e.Class + "/" + e.Device }
func (e *DeviceGone) ErrorName() string { return "io.halberd.DeviceGone" }

// Timeout is answered when the hardware did not answer in time.
type Timeout struct{ device }

// SlowDevice makes a Timeout.
func SlowDevice(class, id string) *Timeout { return &Timeout{device{class, id}} }

func (e *Timeout) Error() string {
	return "the device did not answer in time: " + e.Class + "/" + e.Device
}
func (e *Timeout) ErrorName() string { return "io.halberd.Timeout" }

// Busy is answered when a device is claimed, leased, pulsing, or held by the kernel or another process.
type Busy struct {
	device
	Holder Opt[string]
}

// BusyDevice makes a Busy; an empty holder is left out.
func BusyDevice(class, id, holder string) *Busy {
	return &Busy{device{class, id}, Opt[string]{holder, holder != ""}}
}

func (e *Busy) Error() string     { return "the device is busy: " + e.Class + "/" + e.Device }
func (e *Busy) ErrorName() string { return "io.halberd.Busy" }

// Fields declares the parameters of the error.
func (e *Busy) Fields(f *Fields) {
	e.device.Fields(f)
	f.OptText("holder", &e.Holder, "Who holds it, as far as the caller may know.")
}

// NotSupported is answered for what this hardware, direction or configuration cannot do.
type NotSupported struct{ Feature string }

func (e *NotSupported) Error() string     { return "not supported: " + e.Feature }
func (e *NotSupported) ErrorName() string { return "io.halberd.NotSupported" }

// Fields declares the parameters of the error.
func (e *NotSupported) Fields(f *Fields) {
	f.Text("feature", &e.Feature, "What is not supported.")
}

// OutOfRange is answered for a value that the hardware does not take.
type OutOfRange struct {
	Parameter        string
	Minimum, Maximum int64
}

func (e *OutOfRange) Error() string {
	return fmt.Sprintf("%s is out of range: this hardware takes %d to %d", e.Parameter, e.Minimum, e.Maximum)
}
func (e *OutOfRange) ErrorName() string { return "io.halberd.OutOfRange" }

// Fields declares the parameters of the error.
func (e *OutOfRange) Fields(f *Fields) {
	f.Text("parameter", &e.Parameter, "The parameter.")
	f.Int("minimum", &e.Minimum, AsParameter, "The least value that the hardware takes.")
	f.Int("maximum", &e.Maximum, AsParameter, "The greatest value that the hardware takes.")
}

// Interlocked is answered when an interlock forbids a change, or its dead time runs.
type Interlocked struct {
	Group          string
	Conflicting    string
	RetryAfterMSec Opt[int64]
}

func (e *Interlocked) Error() string     { return "interlocked by " + e.Group + ": " + e.Conflicting }
func (e *Interlocked) ErrorName() string { return "io.halberd.Interlocked" }

// Fields declares the parameters of the error.
func (e *Interlocked) Fields(f *Fields) {
	f.Text("group", &e.Group, "The interlock.")
	f.Text("conflicting", &e.Conflicting, "The device that stands against it.")
	f.OptIntIn("retryAfterMSec", &e.RetryAfterMSec, 0, math.MaxInt64, Milliseconds, "What is left of the dead time.")
}

// LimitExceeded is answered when one of the limits of halberd.toml is reached.
type LimitExceeded struct {
	Limit   string
	Maximum int64
}

func (e *LimitExceeded) Error() string {
	return fmt.Sprintf("too many: %s is at most %d", e.Limit, e.Maximum)
}
func (e *LimitExceeded) ErrorName() string { return "io.halberd.LimitExceeded" }

// Fields declares the parameters of the error.
func (e *LimitExceeded) Fields(f *Fields) {
	f.Text("limit", &e.Limit, "The limit's name in halberd.toml.")
	f.Int("maximum", &e.Maximum, Unitless, "Its value.")
}

// MessageTooLarge is answered for a message, or before a reply, that is longer than the socket type carries.
type MessageTooLarge struct{ Limit int64 }

func (e *MessageTooLarge) Error() string {
	return fmt.Sprintf("the message is longer than %d bytes", e.Limit)
}
func (e *MessageTooLarge) ErrorName() string { return "io.halberd.MessageTooLarge" }

// Fields declares the parameters of the error.
func (e *MessageTooLarge) Fields(f *Fields) {
	f.Int("limit", &e.Limit, Bytes, "The longest message.")
}

// BadConfiguration is answered to a reload of bad files. What was in force stays in force.
type BadConfiguration struct{ Reason string }

func (e *BadConfiguration) Error() string     { return "bad configuration: " + e.Reason }
func (e *BadConfiguration) ErrorName() string { return "io.halberd.BadConfiguration" }

// Fields declares the parameters of the error.
func (e *BadConfiguration) Fields(f *Fields) {
	f.Text("reason", &e.Reason, "What is wrong, with file and line.")
}

// FailedOutput is an output that was not brought to its safe value, and why.
type FailedOutput struct{ Class, Device, Error, Reason string }

// Fields declares what is said of the output.
func (e *FailedOutput) Fields(f *Fields) {
	f.Text("class", &e.Class, "The class of the device.")
	f.Text("device", &e.Device, "Its ID.")
	f.Text("error", &e.Error, "The error that a call on it would have been answered with.")
	f.Text("reason", &e.Reason, "Why, for a person.")
}

// MaxFailed is how many outputs a NotSafe names: it fits the smallest reply.
const MaxFailed = 50

// NotSafe is answered where not every output could be brought to its safe value. All others were.
type NotSafe struct {
	Failures int64
	Failed   []FailedOutput
}

func (e *NotSafe) Error() string {
	return fmt.Sprintf("not safe: %d outputs failed", e.Failures)
}
func (e *NotSafe) ErrorName() string { return "io.halberd.NotSafe" }

// Fields declares the parameters of the error.
func (e *NotSafe) Fields(f *Fields) {
	f.IntIn("failures", &e.Failures, 1, math.MaxInt64, Unitless, "How many outputs failed.")
	Each(f, "failed", &e.Failed, 1, MaxFailed, "The first of them; the log names all.")
}

// System is io.systemd.System: any other error of the kernel.
type System struct {
	Origin    Opt[string]
	Errno     int64
	ErrnoName Opt[string]
}

func (e *System) Error() string     { return "system error: " + syscall.Errno(e.Errno).Error() }
func (e *System) ErrorName() string { return "io.systemd.System" }

// Fields declares the parameters of the error.
func (e *System) Fields(f *Fields) {
	f.OptText("origin", &e.Origin, "The system that the number belongs to: linux.")
	f.Int("errno", &e.Errno, Unitless, "The error's number.")
	f.OptText("errnoName", &e.ErrnoName, "Its name, as EIO.")
}

// Refuse turns an error of a kernel call on a device into the refusal that the contract has for it. A refusal stays what it is.
func Refuse(class, id string, err error) error {
	var refusal Refusal
	var errno syscall.Errno
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refusal):
		return refusal
	case !errors.As(err, &errno):
		return err
	}
	switch errno {
	case syscall.ENODEV, syscall.ENXIO:
		return GoneDevice(class, id)
	case syscall.EBUSY:
		return BusyDevice(class, id, "")
	case syscall.ETIMEDOUT:
		return SlowDevice(class, id)
	case syscall.EOPNOTSUPP:
		return &NotSupported{Feature: id}
	}
	return SystemError(errno)
}
