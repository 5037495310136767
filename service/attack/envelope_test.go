package attack_test

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/service/attack"
	"github.com/halberd-io/halberd/service/peer"
	"github.com/halberd-io/halberd/service/servicetest"
)

// get and its reply are what goes on being answered.
const (
	get      = `{"method":"io.halberd.Gpio.Get","parameters":{"line":"relay-up"}}`
	getReply = `{"parameters":{"value":0}}`
)

// within is the call with a parameter more.
func within(parameter string) string {
	return `{"method":"io.halberd.Gpio.Get","parameters":{"line":"relay-up",` + parameter + `}}`
}

// nested is an array in an array, and so on: the deepest of a call is two less than the message has.
func nested(depth int) string {
	return within(`"a":` + strings.Repeat("[", depth-2) + strings.Repeat("]", depth-2))
}

func nestedObjects(depth int) string {
	return within(`"a":` + strings.Repeat(`{"a":`, depth-2) + "1" + strings.Repeat("}", depth-2))
}

// nonsense are messages that are no calls: they end a connection, and are dropped as datagrams.
var nonsense = []struct{ name, msg string }{
	{"nothing but space", "   "}, {"an empty object", "{}"}, {"a string", `"method"`}, {"a number", "1"}, {"null", "null"}, {"true", "true"},
	{"an object in an array", "[" + get + "]"}, {"half an object", get[:len(get)-1]}, {"a brace too many", get + "}"}, {"two objects", get + get}, {"a comma behind", strings.Replace(get, "}}", "},}", 1)},
	{"a comma before", "{," + get[1:]}, {"no comma", strings.Replace(get, `,"parameters"`, ` "parameters"`, 1)}, {"no colon", `{"method" "io.halberd.Gpio.Get"}`}, {"a name without quotes", `{method:"io.halberd.Gpio.Get"}`},
	{"single quotes", strings.ReplaceAll(get, `"`, "'")}, {"a comment", "/* */" + get}, {"a comment behind", get + " // done"}, {"a byte order mark", "\xef\xbb\xbf" + get}, {"a no-break space", "\u00a0" + get},
	{"a vertical tab", "\v" + get}, {"a form feed", "\f" + get}, {"a line separator", "\u2028" + get}, {"UTF-16", "{\x01\"\x01}\x01"},

	{"METHOD", strings.Replace(get, `"method"`, `"METHOD"`, 1)}, {"Method", strings.Replace(get, `"method"`, `"Method"`, 1)}, {"Parameters", strings.Replace(get, `"parameters"`, `"Parameters"`, 1)},
	{"a long s in parameters", strings.Replace(get, `"parameters"`, "\"parameter\u017f\"", 1)}, {"a space in the name", strings.Replace(get, `"method"`, `"method "`, 1)}, {"an empty name", `{"":1,` + get[1:]},
	{"Oneway", get[:len(get)-1] + `,"Oneway":true}`}, {"MORE", get[:len(get)-1] + `,"MORE":true}`}, {"an error", `{"error":"io.halberd.Busy",` + get[1:]}, {"continues", `{"continues":true,` + get[1:]},
	{"__proto__", `{"__proto__":{},` + get[1:]}, {"an id as JSON-RPC has it", `{"jsonrpc":"2.0","id":1,` + get[1:]},

	{"method twice, the same", `{"method":"io.halberd.Gpio.Get",` + get[1:]}, {"method twice, in disguise", `{"\u006dethod":"io.halberd.Gpio.Get",` + get[1:]},
	{"parameters twice", get[:len(get)-1] + `,"parameters":{}}`}, {"parameters twice, the first null", `{"parameters":null,` + get[1:]}, {"oneway twice", `{"oneway":true,"oneway":true,` + get[1:]},
	{"more twice", `{"more":false,"more":false,` + get[1:]}, {"upgrade twice", `{"upgrade":false,"upgrade":false,` + get[1:]},

	{"method is false", `{"method":false}`}, {"method is an array", `{"method":["io.halberd.Gpio.Get"]}`}, {"method is an object", `{"method":{}}`}, {"more is 1", `{"more":1,` + get[1:]},
	{"more is an object", `{"more":{},` + get[1:]}, {"oneway is a string", `{"oneway":"true",` + get[1:]}, {"oneway is 0", `{"oneway":0,` + get[1:]}, {"upgrade is an array", `{"upgrade":[],` + get[1:]},
	{"all three ways", `{"oneway":true,"more":true,"upgrade":true,` + get[1:]}, {"oneway and upgrade", `{"oneway":true,"upgrade":true,` + get[1:]}, {"True", `{"more":True,` + get[1:]}, {"tru", `{"more":tru,` + get[1:]},
	{"nul", `{"parameters":nul,"method":"io.halberd.Gpio.Get"}`}, {"undefined", `{"parameters":undefined,"method":"io.halberd.Gpio.Get"}`},

	{"overlong", within("\"a\":\"\xc0\xaf\"")}, {"an overlong NUL", within("\"a\":\"\xc0\x80\"")}, {"a surrogate in UTF-8", within("\"a\":\"\xed\xa0\x80\"")}, {"beyond Unicode", within("\"a\":\"\xf4\x90\x80\x80\"")},
	{"five bytes", within("\"a\":\"\xf8\x88\x80\x80\x80\"")}, {"a cut sequence", within("\"a\":\"\xe2\x82\"")}, {"a byte that only continues", within("\"a\":\"\x80\"")}, {"bad UTF-8 in a name", within("\"\xff\":1")},
	{"bad UTF-8 in the method", "{\"method\":\"io.halberd.\xffGpio.Get\"}"}, {"bad UTF-8 outside of strings", get + "\xff"}, {"a lone high surrogate", within(`"a":"\ud83d"`)}, {"a lone low surrogate", within(`"a":"\ude00"`)},
	{"surrogates the wrong way round", within(`"a":"\ude00\ud83d"`)}, {"a high surrogate and a letter", within(`"a":"\ud83dx"`)},

	{"a tab in a string", within("\"a\":\"\t\"")}, {"a new line in a string", within("\"a\":\"\n\"")}, {"a delete in the method", "{\"method\":\"io.halberd\x7f.Gpio.Get\"}"}, {"an escape in the method", `{"method":"io.halberd.Gpio.Get\u001b"}`},
	{"a bad escape", within(`"a":"\x41"`)}, {"half an escape", within(`"a":"\u00"`)}, {"an escape at the end", within(`"a":"\"`)}, {"an escaped digit that is none", within(`"a":"\u00g0"`)}, {"\\U", within(`"a":"\U0041"`)},
	{"01", within(`"a":01`)}, {"+1", within(`"a":+1`)}, {"0x1", within(`"a":0x1`)}, {"1_000", within(`"a":1_000`)}, {"NaN", within(`"a":NaN`)}, {"Infinity", within(`"a":-Infinity`)}, {"a minus alone", within(`"a":-`)},
	{"1.", within(`"a":1.`)}, {".5", within(`"a":.5`)}, {"1e", within(`"a":1e`)}, {"1e+", within(`"a":1e+`)}, {"a digit that is not ASCII", within("\"a\":\u0967")}, {"- 1", within(`"a":- 1`)},

	{"33 arrays", nested(33)}, {"33 objects", nestedObjects(33)}, {"34 arrays", nested(34)}, {"30,000 arrays", nested(30_000)}, {"30,000 brackets that are not closed", within(`"a":` + strings.Repeat("[", 30_000))},
	{"arrays that are closed as objects", within(`"a":[}`)}, {"brackets the wrong way round", within(`"a":][`)},
}

func TestEnvelopes(t *testing.T) {
	everyTransport(t, func(t *testing.T, kind peer.Transport) {
		s := record(t, servicetest.GrantAll(os.Geteuid()))
		l := dial(t, s.Server, kind)
		s.kernel.Reset()
		for _, row := range nonsense {
			t.Run(row.name, func(t *testing.T) {
				l.ends(t, row.msg)
				s.untouched(t)
			})
		}
	})
}

// invalid is the refusal of a parameter.
func invalid(path string) string {
	return `{"error":"org.varlink.service.InvalidParameter","parameters":{"parameter":"` + path + `"}}`
}

// TestUnusualEnvelopes: what is a call is answered as one, however it is written.
func TestUnusualEnvelopes(t *testing.T) {
	rows := []struct{ name, msg, want string }{
		{"32 arrays", nested(32), invalid("a")}, {"32 objects", nestedObjects(32), invalid("a")}, {"31 arrays", nested(31), invalid("a")},
		{"space everywhere", " \t\r\n{ \"method\" : \"io.halberd.Gpio.Get\" ,\n\t\"parameters\" : { \"line\" : \"relay-up\" } } \n", getReply},
		{"escapes everywhere", `{"\u006d\u0065thod":"io\u002ehalberd.Gpio.Get","parameters":{"l\u0069ne":"relay\u002Dup"}}`, getReply},
		{"the other order", `{"parameters":{"line":"relay-up"},"method":"io.halberd.Gpio.Get"}`, getReply},
		{"everything that is absent", `{"oneway":false,"more":false,"upgrade":false,` + get[1:], getReply},
		{"everything that is null", `{"oneway":null,"more":null,"upgrade":null,` + get[1:], getReply},
		{"no parameters", `{"method":"io.halberd.Gpio.Get","parameters":null}`, invalid("line")},
		{"a method without a dot", `{"method":"Get"}`, `{"error":"org.varlink.service.MethodNotFound","parameters":{"method":"Get"}}`},
		{"an empty method", `{"method":""}`, `{"error":"org.varlink.service.MethodNotFound","parameters":{"method":""}}`},
		{"a method in another case", `{"method":"io.halberd.gpio.Get"}`, `{"error":"org.varlink.service.MethodNotFound","parameters":{"method":"io.halberd.gpio.Get"}}`},
		{"a method with a slash", `{"method":"io/halberd/Gpio/Get"}`, `{"error":"org.varlink.service.MethodNotFound","parameters":{"method":"io/halberd/Gpio/Get"}}`},
		{"a method with a dot behind", `{"method":"io.halberd.Gpio.Get."}`, `{"error":"org.varlink.service.MethodNotFound","parameters":{"method":"io.halberd.Gpio.Get."}}`},
		{"quotes in the method", `{"method":"a\"}\\"}`, `{"error":"org.varlink.service.MethodNotFound","parameters":{"method":"a\"}\\"}}`},
		{"a device in other letters", `{"method":"io.halberd.Gpio.Get","parameters":{"line":"RELAY-UP"}}`, `{"error":"io.halberd.NoSuchDevice","parameters":{"class":"Gpio","device":"RELAY-UP"}}`},
		{"a device with its class", `{"method":"io.halberd.Gpio.Get","parameters":{"line":"Gpio/relay-up"}}`, `{"error":"io.halberd.NoSuchDevice","parameters":{"class":"Gpio","device":"Gpio/relay-up"}}`},
		{"a device that is a path", `{"method":"io.halberd.Led.Get","parameters":{"led":"../../../../etc/passwd"}}`, `{"error":"io.halberd.NoSuchDevice","parameters":{"class":"Led","device":"../../../../etc/passwd"}}`},
		{"a device with a NUL", `{"method":"io.halberd.Gpio.Get","parameters":{"line":"relay-up\u0000"}}`, invalid("line")},
		{"a wildcard for a device", `{"method":"io.halberd.Gpio.Get","parameters":{"line":"relay-*"}}`, invalid("line")},
		{"letters that look alike", "{\"method\":\"io.halberd.Gpio.Get\",\"parameters\":{\"line\":\"relay-\u0443p\"}}", invalid("line")},
		{"a duplicate, deep", within(`"a":[{"b":{"c":1,"c":1}}]`), invalid("a")},
		{"a duplicate in an array's object, in disguise", within(`"a":[1,{"b":1,"\u0062":1}]`), invalid("a")},
		{"a pair of surrogates", within(`"a":"\ud83d\ude00"`), invalid("a")},
		{"a name of 4,000 bytes", within(`"` + strings.Repeat("a", 4000) + `":1`), invalid(strings.Repeat("a", 4000))},
	}
	everyTransport(t, func(t *testing.T, kind peer.Transport) {
		s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()))
		r := s.MustDial(t, kind)
		for _, row := range rows {
			t.Run(row.name, func(t *testing.T) {
				if got, err := r.Call(row.msg); got != row.want || err != nil {
					t.Errorf("got %s, %v, want %s", got, err, row.want)
				}
			})
		}
	})
}

// split are messages that are cut at each of their bytes.
var split = []struct{ name, msg, want string }{
	{"a call", get, getReply},
	{"a change", attack.SetLine("relay-up", 0), `{"parameters":{}}`},
	{"a denied call", `{"method":"io.halberd.Led.Get","parameters":{"led":"front"}}`, `{"error":"org.varlink.service.PermissionDenied","parameters":{"reason":"no grant of uid ` + uid() + ` covers io.halberd.Led.Get"}}`},
	{"a call that is wrong", within(`"a":1`), invalid("a")},
	{"letters of several bytes", "{\"method\":\"\u00e9\u20ac\U0001f600\"}", "{\"error\":\"org.varlink.service.MethodNotFound\",\"parameters\":{\"method\":\"\u00e9\u20ac\U0001f600\"}}"},
	{"escapes", `{"method":"\u00e9\ud83d\ude00\""}`, "{\"error\":\"org.varlink.service.MethodNotFound\",\"parameters\":{\"method\":\"\u00e9\U0001f600\\\"\"}}"},
	{"several devices", `{"method":"io.halberd.Gpio.GetMany","parameters":{"lines":["relay-up","door"]}}`, `{"parameters":{"values":{"door":0,"relay-up":0}}}`},
}

// TestSplits: a message means the same wherever a stream cuts it. The daemon has read the first part before the second is sent.
func TestSplits(t *testing.T) {
	s := servicetest.Start(t, `[[grant]]
id      = "g"
users   = [`+uid()+`]
methods = ["io.halberd.Gpio.*"]
devices = ["*"]
`)
	for _, row := range split {
		t.Run(row.name, func(t *testing.T) {
			r := s.MustDial(t, peer.Stream)
			msg := row.msg + "\x00"
			expect := func(at int) {
				t.Helper()
				if got, err := r.Read(); got != row.want || err != nil {
					t.Fatalf("cut at %d: got %s, %v, want %s", at, got, err, row.want)
				}
			}
			for at := range len(msg) {
				for _, part := range []string{msg[:at], msg[at:]} {
					if err := r.Send([]byte(part)); err != nil {
						t.Fatal(err)
					}
					taken(t, r)
				}
				expect(at)
			}
			for at := range len(msg) { // one by one
				if err := r.Send([]byte(msg[at : at+1])); err != nil {
					t.Fatal(err)
				}
				taken(t, r)
			}
			expect(-1)
		})
	}
}

// taken waits until the daemon has received all that was sent.
func taken(t *testing.T, r *servicetest.Raw) {
	t.Helper()
	for {
		queued, err := unix.IoctlGetInt(r.FD, unix.SIOCOUTQ)
		if err != nil {
			t.Fatal(err)
		}
		if queued == 0 {
			return
		}
	}
}
