package radio

import (
	"testing"

	"github.com/halberd-io/halberd/hal/haltest"
	"github.com/halberd-io/halberd/hal/sim"
)

func TestConformance(t *testing.T) {
	haltest.Run(t, func(*testing.T) haltest.Harness {
		k := sim.New(sim.Options{Bare: true})
		k.AddRadio(sim.Radio{Name: "phy0", Type: "wlan"})
		k.AddRadio(sim.Radio{Name: "hci0", Type: "bluetooth", Soft: true, Hard: true})
		var away []string
		return haltest.Harness{
			Driver: Driver(), Kernel: k, Opened: k.Opened,
			Unplug: func() {
				away = []string{k.RadioDevice("phy0")}
				k.Unplug(away[0])
			},
			Plug:    func() { k.Plug(away[0]) },
			Entries: []haltest.Entry{{Table: "radio", ID: "wlan", Keys: `{"type":"wlan","initial":1,"safe":0}`}},
			Calls: []haltest.Call{
				{Method: "Get", Parameters: `{"radio":"wlan"}`},
				{Method: "Get", Parameters: `{"radio":"hci0"}`},
				{Method: "Block", Parameters: `{"radio":"wlan"}`},
				{Method: "Block", Parameters: `{"radio":"hci0"}`},
				{Method: "Unblock", Parameters: `{"radio":"wlan"}`},
				{Method: "Unblock", Parameters: `{"radio":"hci0"}`},
				{Method: "Watch", Parameters: `{"radios":["wlan"]}`},
			},
		}
	})
}
