package hal_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/halberd-io/halberd/hal"
)

func TestFeed(t *testing.T) {
	var feed hal.Feed[int]
	var got []string
	listen := func(name string) func() {
		return feed.Subscribe(func(n int) { got = append(got, fmt.Sprint(name, n)) })
	}
	expect := func(want string) {
		t.Helper()
		if s := strings.Join(got, " "); s != want {
			t.Errorf("the subscribers got %q, want %q", s, want)
		}
		got = nil
	}
	if feed.Watched() {
		t.Error("a feed is watched before anybody subscribed")
	}
	feed.Publish(0)
	stopA := listen("a")
	stopB := listen("b")
	feed.Publish(1)
	expect("a1 b1")
	stopA()
	stopA()
	feed.Publish(2)
	expect("b2")
	if !feed.Watched() {
		t.Error("the feed is not watched while b listens")
	}
	stopB()
	feed.Publish(3)
	expect("")
	if feed.Watched() {
		t.Error("the feed is watched after the last one stopped")
	}
}

// While an event is published, a subscriber may stop itself or another one, and subscribe a new one. Who was stopped hears nothing more, not even of
// this event; who is new hears of the next one.
func TestFeedChangesDuringPublish(t *testing.T) {
	tests := []struct {
		name         string
		during       func(feed *hal.Feed[int], stop []func(), listen func(string))
		first, later string
	}{
		{"itself", func(_ *hal.Feed[int], stop []func(), _ func(string)) { stop[1]() }, "a1 b1 c1", "a2 c2"},
		{"one before", func(_ *hal.Feed[int], stop []func(), _ func(string)) { stop[0]() }, "a1 b1 c1", "b2 c2"},
		{"one behind", func(_ *hal.Feed[int], stop []func(), _ func(string)) { stop[2]() }, "a1 b1", "a2 b2"},
		{"all", func(_ *hal.Feed[int], stop []func(), _ func(string)) { stop[0](); stop[1](); stop[2]() }, "a1 b1", ""},
		{"a new one", func(_ *hal.Feed[int], _ []func(), listen func(string)) { listen("d") }, "a1 b1 c1", "a2 b2 c2 d2"},
		{"one goes, a new one comes", func(_ *hal.Feed[int], stop []func(), listen func(string)) { stop[0](); listen("d") }, "a1 b1 c1", "b2 c2 d2"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var feed hal.Feed[int]
			var got []string
			var stop []func()
			listen := func(name string) {
				stop = append(stop, feed.Subscribe(func(n int) {
					got = append(got, fmt.Sprint(name, n))
					if name == "b" && n == 1 {
						test.during(&feed, stop, func(name string) {
							feed.Subscribe(func(n int) { got = append(got, fmt.Sprint(name, n)) })
						})
					}
				}))
			}
			for _, name := range []string{"a", "b", "c"} {
				listen(name)
			}
			feed.Publish(1)
			if s := strings.Join(got, " "); s != test.first {
				t.Errorf("the first event reached %q, want %q", s, test.first)
			}
			got = nil
			feed.Publish(2)
			if s := strings.Join(got, " "); s != test.later {
				t.Errorf("the next event reached %q, want %q", s, test.later)
			}
		})
	}
}
