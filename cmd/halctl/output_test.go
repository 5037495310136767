package main

import (
	"strings"
	"testing"
)

// evil moves a cursor, sets a title and clears a screen, by control characters of both kinds, and has what follows it shown from right to left.
const evil = `\u001b[2J\u001b]0;title\u0007\r\b\u009b2J\u202e\u2066` + "\u009b1A\u007f\u202e\u2066"

// TestNoControlCharacters: what devices are called and say never steers a terminal, neither in tables nor in JSON.
func TestNoControlCharacters(t *testing.T) {
	object := `{"class":"` + evil + `","id":"` + evil + `","` + evil + `":["` + evil + `",{"` + evil + `":"` + evil + `"},1.5,true,null]}`
	rows := []struct{ name, args, answer string }{
		{"list", "list", `{"parameters":{"devices":[` + object + `]}}`},
		{"describe", "describe a/b", `{"parameters":` + object + `}`},
		{"info", "info", `{"parameters":` + object + `}`},
		{"an interface", "info io.x", `{"parameters":{"description":"` + evil + `"}}`},
		{"a value alone", "gpio get x", `{"parameters":{"value":"` + evil + `"}}`},
		{"an object alone", "gpio get-many x", `{"parameters":{"values":` + object + `}}`},
		{"call", "call a.B", `{"parameters":` + object + `}`},
		{"call --more", "call --more a.B", `{"parameters":` + object + `}`},
		{"a watch", "gpio watch x", `{"parameters":` + object + `}`},
		{"grants", "grants", `{"parameters":{"grants":[{"id":"` + evil + `","rate":"` + evil + `","methods":["` + evil + `"]}]}}`},
		{"check", "check a.B", `{"parameters":{"allowed":true,"reason":"` + evil + `"}}`},
		{"whoami", "whoami", `{"parameters":` + object + `}`},
		{"a reason", "status", `{"error":"io.x.Y","parameters":{"reason":"` + evil + `"}}`},
		{"parameters of an error", "status", `{"error":"io.x.Y","parameters":` + object + `}`},
		{"the name of an error", "status", `{"error":"io.x.` + evil + `"}`},
		{"a denial", "gpio get x", `{"error":"org.varlink.service.PermissionDenied","parameters":{"reason":"` + evil + `"}}`},
		{"what is no reply", "status", evil},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			address, _ := standIn(t, row.answer)
			for _, options := range [][]string{nil, {"-j"}} {
				args := append(append([]string{"-a", address}, options...), strings.Fields(row.args)...)
				_, stdout, stderr := halctl(t, args...)
				if i := strings.IndexFunc(stdout+stderr, steers); i >= 0 || stdout+stderr == "" {
					t.Errorf("halctl %q: got %q and %q, with a control character at %d", args[2:], stdout, stderr, i)
				}
				if options != nil {
					jsonLines(t, stdout)
				}
			}
		})
	}
}

func steers(c rune) bool {
	return c < ' ' && c != '\n' && c != '\t' || c >= 0x7f && c < 0xa0 || strings.ContainsRune("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069", c)
}

// TestOneLine: JSON is one line each, however it came, and stays what it was.
func TestOneLine(t *testing.T) {
	address, _ := standIn(t, "{\"parameters\": {\n\t\"b\": \"\u009b\u00e4 \\n\",\r\n \"a\" : [1, 2]\n} }")
	for _, args := range []string{"-j whoami", "call a.B", "call --more a.B", "-j gpio watch x"} {
		status, stdout, stderr := halctl(t, append([]string{"-a", address}, strings.Fields(args)...)...)
		if want := "{\"b\":\"\\u009b\u00e4 \\n\",\"a\":[1,2]}\n"; status != 0 || stdout != want {
			t.Errorf("halctl %s: got %d, %q, %q, want %q", args, status, stdout, stderr, want)
		}
	}
}

// TestLinesOfValues: a value of several lines makes no rows that are not there.
func TestLinesOfValues(t *testing.T) {
	rows := []struct{ args, answer, want string }{
		{"whoami", `{"parameters":{"a":"1\n2","bcd":3}}`, "a    1\n     2\nbcd  3\n"},
		{"gpio watch x", `{"parameters":{"a":"1\n2"}}`, "A\n1 2\n"},
		{"gpio watch x", `{"parameters":{"line":"a-line-of-a-long-name","value":1}}`, "LINE          VALUE\na-line-of-a-long-name  1\n"},
		{"watch", `{"parameters":{"kind":"returned","device":"Gpio/relay-pump","lost":0}}`, "KIND          DEVICE                    LOST\nreturned      Gpio/relay-pump           0\n"},
		{"list", `{"parameters":{"devices":[{"class":"Led","id":"x\nGpio y"}]}}`, "CLASS  DEVICE\nLed    x Gpio y\n"},
		{"gpio get x", `{"parameters":{"value":"1\n2"}}`, "1\n2\n"},
		{"whoami", `{"parameters":{"a":"1\t2","b":3}}`, "a  1 2\nb  3\n"},
		{"list", `{"parameters":{"devices":[{"class":"Led","id":"x\ty"}]}}`, "CLASS  DEVICE\nLed    x y\n"},
		{"info io.x", `{"parameters":{"description":"interface io.x\n\n\t# a tab\n"}}`, "interface io.x\n\n\t# a tab\n"},
	}
	for _, row := range rows {
		address, _ := standIn(t, row.answer)
		status, stdout, stderr := halctl(t, append([]string{"-a", address}, strings.Fields(row.args)...)...)
		if status != 0 || stdout != row.want {
			t.Errorf("halctl %s: got %d, %q, %q, want %q", row.args, status, stdout, stderr, row.want)
		}
	}
}
