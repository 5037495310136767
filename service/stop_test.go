package service_test

import (
	"os"
	"testing"

	"github.com/halberd-io/halberd/hal"
	"github.com/halberd-io/halberd/service"
	"github.com/halberd-io/halberd/service/config"
	"github.com/halberd-io/halberd/service/servicetest"
)

// TestStopAnswersWhatHasCome: calls that arrived over accepted connections before the daemon is told to stop are answered, since nobody else can.
func TestStopAnswersWhatHasCome(t *testing.T) {
	for _, kind := range connections {
		t.Run(kind.String(), func(t *testing.T) {
			reading, goOn := make(chan struct{}), make(chan struct{})
			first := true
			s := servicetest.Start(t, servicetest.GrantAll(os.Geteuid()), func(c *service.Config) {
				read := c.Policy
				c.Policy = func(cat *hal.Catalog) (*config.PolicyFiles, error) {
					if !first {
						reading <- struct{}{}
						<-goOn
					}
					first = false
					return read(cat)
				}
			})
			caller := s.MustDial(t, kind)
			if _, err := caller.Call(`{"method":"io.halberd.Gpio.Get","parameters":{"line":"relay-pump"}}`); err != nil {
				t.Fatal(err)
			}
			s.Reload() // occupies the loop
			<-reading
			if err := caller.Write(`{"method":"io.halberd.Gpio.Set","parameters":{"line":"relay-pump","value":1}}`); err != nil {
				t.Fatal(err)
			}
			stopped := make(chan struct{})
			go func() { s.Stop(t); close(stopped) }()
			goOn <- struct{}{}
			got, err := caller.Read()
			if err != nil || got != `{"parameters":{}}` {
				t.Errorf("got %q, %v; want the reply of a call that came before the stop", got, err)
			}
			<-stopped
		})
	}
}
