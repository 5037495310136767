package client

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/halberd-io/halberd/hal/haltest"
)

var replies = []string{
	`{"parameters":{"a":1}}`, `{"error":"io.halberd.Busy","parameters":{"class":"Led"}}`, `{"parameters":{},"continues":true}`, `{}`, `null`, `[]`, `{"error":null}`, `{"error":""}`, `{"parameters":null}`,
	`{"parameters":[]}`, `{"continues":1}`, `{"Error":"x"}`, `{"error":"a","error":"b"}`, ` { "parameters" : { } } `, `{"error":"x","extra":1}`, `{"parameters":{"a":"` + "\xff" + `"}}`, "{\"parameters\":{}}\x00",
}

// checkReply: what is taken is an object with nothing but a name, an object and a flag in it, and what is refused breaks the protocol.
func checkReply(t *testing.T, message string) {
	t.Helper()
	r, err := decode([]byte(message))
	if err != nil {
		if !errors.Is(err, ErrProtocol) {
			t.Errorf("%q: got %v, want a breach of the protocol", message, err)
		}
		return
	}
	var other struct {
		Error      string          `json:"error"`
		Parameters json.RawMessage `json:"parameters"`
		Continues  bool            `json:"continues"`
	}
	if err := json.Unmarshal([]byte(message), &other); err != nil {
		t.Fatalf("%q: encoding/json refuses it: %v", message, err)
	}
	if other.Parameters == nil {
		other.Parameters = json.RawMessage("{}")
	}
	var object map[string]any
	if json.Unmarshal(r.parameters, &object) != nil || object == nil || string(r.parameters) != string(other.Parameters) || r.continues != other.Continues {
		t.Errorf("%q: got %s, %t, want %s, %t", message, r.parameters, r.continues, other.Parameters, other.Continues)
	}
	if (r.refusal != nil) != (other.Error != "") || r.refusal != nil && r.refusal.Name != other.Error {
		t.Errorf("%q: got %v, want %q", message, r.refusal, other.Error)
	}
}

func FuzzReply(f *testing.F) {
	for _, s := range replies {
		f.Add(s)
	}
	f.Fuzz(checkReply)
}

func TestRandomReplies(t *testing.T) {
	for message := range haltest.Inputs(5000, replies...) {
		checkReply(t, message)
	}
}
