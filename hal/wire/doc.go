// Package wire reads and writes the JSON of varlink messages.
//
// The reader is strict: RFC 8259 syntax, valid UTF-8 and no lone surrogates, no duplicate keys, a depth of at most MaxDepth. It
// copies nothing: what it returns are slices of the message, so they live as long as the message does. The appender writes the
// shortest form and never fails. Neither allocates on the path of an ordinary call, and neither uses reflection.
//
// There is a reader of our own here because the standard library's is lenient where a privileged service must not be: encoding/json
// takes METHOD for "method", the last of two equal keys, and replaces invalid UTF-8, so that what one program checked and
// another one ran could differ.
package wire
