package client_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"os"

	"github.com/halberd-io/halberd/service/client"
)

// A button is read and an LED set, and a refusal is told from other errors.
func Example() {
	stop := standIn(`{"parameters":{"value":1}}`, `{"error":"org.varlink.service.PermissionDenied","parameters":{"reason":"no grant covers brightness 255"}}`)
	defer stop()

	ctx := context.Background()
	c, err := client.Dial(ctx, "")
	if err != nil {
		log.Fatal(err) // errors.Is(err, client.ErrNoDaemon) where none runs
	}
	defer c.Close()

	var button struct{ Value int }
	if err := c.Call(ctx, "io.halberd.Gpio.Get", map[string]any{"line": "button"}, &button); err != nil {
		log.Fatal(err)
	}
	fmt.Println("button:", button.Value)

	err = c.Call(ctx, "io.halberd.Led.Set", map[string]any{"led": "front", "brightness": 255}, nil)
	if client.IsError(err, client.PermissionDenied) {
		fmt.Println(err)
	}
	// Output:
	// button: 1
	// org.varlink.service.PermissionDenied: no grant covers brightness 255
}

// A watch gives the present state first and then each change, here until the device is unplugged.
func ExampleClient_More() {
	stop := standIn(`{"parameters":{"line":"door","value":0},"continues":true}` + "\x00" +
		`{"parameters":{"line":"door","value":1},"continues":true}` + "\x00" + `{"error":"io.halberd.DeviceGone"}`)
	defer stop()

	ctx := context.Background()
	c, err := client.Dial(ctx, "")
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	err = c.More(ctx, "io.halberd.Gpio.Watch", map[string]any{"lines": []string{"door"}}, func(raw json.RawMessage) error {
		fmt.Println(string(raw))
		return nil
	})
	fmt.Println(err)
	// Output:
	// {"line":"door","value":0}
	// {"line":"door","value":1}
	// io.halberd.DeviceGone
}

// standIn stands in for a daemon at HALBERD_ADDRESS: it answers each call with the next of these.
func standIn(answers ...string) (stop func()) {
	name := fmt.Sprintf("@halberd-example-%d", os.Getpid())
	os.Setenv("HALBERD_ADDRESS", "stream:"+name)
	l, err := net.Listen("unix", name)
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		for c, err := l.Accept(); err == nil; c, err = l.Accept() {
			go answer(c, answers)
		}
	}()
	return func() {
		l.Close()
		os.Unsetenv("HALBERD_ADDRESS")
	}
}

func answer(c net.Conn, answers []string) {
	defer c.Close()
	calls := bufio.NewReader(c)
	for _, answer := range answers {
		if _, err := calls.ReadString(0); err != nil {
			return
		}
		fmt.Fprintf(c, "%s\x00", answer)
	}
}
