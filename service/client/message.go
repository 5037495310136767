package client

import (
	"encoding/json"
	"fmt"
)

// maxMessage is the longest call and the longest reply in bytes, without the NUL that ends it on a stream.
const maxMessage = 64 << 10

// request is a call as it goes over the wire.
type request struct {
	Method     string `json:"method"`
	Parameters any    `json:"parameters"`
	Oneway     bool   `json:"oneway,omitempty"`
	More       bool   `json:"more,omitempty"`
}

// encode gives the call as JSON, refused where it is longer than any server takes. Refusing it here keeps the connection, which the server would close.
func encode(r request) ([]byte, error) {
	if r.Parameters == nil {
		r.Parameters = struct{}{}
	}
	message, err := json.Marshal(r)
	if err == nil && len(message) > maxMessage {
		err = &Error{MessageTooLarge, fmt.Appendf(nil, `{"limit":%d}`, maxMessage)}
	}
	return message, err
}

// reply is one answer. It shares no memory with what it was read from.
type reply struct {
	refusal    *Error
	parameters json.RawMessage // an object
	continues  bool
}

// decode reads a reply: an object with no other keys than error, parameters and continues.
func decode(message []byte) (reply, error) {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(message, &keys); err != nil || keys == nil {
		return reply{}, fmt.Errorf("%w: it is no JSON object", ErrProtocol)
	}
	r := reply{parameters: json.RawMessage("{}")}
	var name string
	for key, value := range keys {
		if !r.set(key, value, &name) {
			return reply{}, fmt.Errorf("%w: it has a bad %q", ErrProtocol, key)
		}
	}
	if name != "" {
		r.refusal = &Error{name, r.parameters}
	}
	return r, nil
}

// set takes one key of a reply and reports whether it may be there like that.
func (r *reply) set(key string, value json.RawMessage, name *string) bool {
	switch key {
	case "error":
		return json.Unmarshal(value, name) == nil && *name != ""
	case "parameters":
		r.parameters = value
		return value[0] == '{'
	case "continues":
		return json.Unmarshal(value, &r.continues) == nil
	}
	return false
}
