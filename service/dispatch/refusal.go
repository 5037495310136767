package dispatch

import "github.com/halberd-io/halberd/hal"

// named is an error of org.varlink.service that names one thing.
type named struct{ errorName, field, value string }

func (e *named) Error() string     { return e.errorName + ": " + e.value }
func (e *named) ErrorName() string { return "org.varlink.service." + e.errorName }

// Fields declares the parameters of the error.
func (e *named) Fields(f *hal.Fields) { f.Text(e.field, &e.value, "The name that was asked for.") }

// MethodNotFound is also the answer for a method of an unknown interface.
func MethodNotFound(method string) hal.Refusal {
	return &named{"MethodNotFound", "method", method}
}

// MethodNotImplemented is the answer for what a kind of socket, or this service, does not offer.
func MethodNotImplemented(method string) hal.Refusal {
	return &named{"MethodNotImplemented", "method", method}
}

// InterfaceNotFound is the answer to a question about an unknown interface.
func InterfaceNotFound(name string) hal.Refusal {
	return &named{"InterfaceNotFound", "interface", name}
}
