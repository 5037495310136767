package i2c

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal/haltest"
	"github.com/halberd-io/halberd/hal/sim"
)

func TestConformance(t *testing.T) {
	const quiet = "some adapters say ENODEV for an address that nothing answers at"
	haltest.Run(t, func(*testing.T) haltest.Harness {
		k := sim.New(sim.Options{Bare: true})
		k.AddI2C(sim.I2C{Chips: []sim.I2CChip{{Address: 0x48, Kind: "lm75", Driver: "lm75"}, {Address: 0x50, Kind: "24c02"}, {Address: 0x51, Kind: "24c32"}}})
		k.AddI2C(sim.I2C{Name: "SMBus", Functions: sim.SMBusI2C, Silence: unix.ENODEV, Chips: []sim.I2CChip{{Address: 0x48, Kind: "lm75"}, {Address: 0x50, Kind: "24c02"}}})
		k.AddI2C(sim.I2C{Under: "platform/halberd-sim=platform/i2c-0=i2c"})
		return haltest.Harness{
			Driver: Driver(), Kernel: k, Opened: k.Opened,
			Unplug: func() { k.Unplug("i2c-1") },
			Plug:   func() { k.Plug("i2c-1") },
			Entries: []haltest.Entry{
				{Table: "i2c-bus", ID: "slow", Keys: `{"adapter":"SMBus"}`},
				{Table: "i2c", ID: "eeprom", Keys: `{"bus":"i2c-0","address":80,"registers":"0x00-0x7f","write-registers":"0x00-0x0f","page":8}`},
				{Table: "i2c", ID: "big", Keys: `{"bus":"i2c-0","address":81,"register-bits":16,"registers":"0x0000-0x0fff"}`},
				{Table: "i2c", ID: "thermometer", Keys: `{"bus":"slow","address":72,"register-bytes":2,"registers":"0-3","write-registers":"2-3"}`},
			},
			Calls: []haltest.Call{
				{Method: "Transfer", Parameters: `{"bus":"i2c-0","messages":[{"address":80,"write":"AA=="},{"address":80,"readLength":4}]}`},
				{Method: "Transfer", Parameters: `{"bus":"slow","messages":[{"address":80,"write":"AAEC"}]}`},
				{Method: "Transfer", Parameters: `{"bus":"slow","messages":[{"address":80,"write":"AA=="},{"address":72,"readLength":4}]}`, Refusal: "io.halberd.NotSupported"},
				{Method: "Transfer", Parameters: `{"bus":"i2c-0","messages":[{"address":72,"readLength":2}]}`, Refusal: "io.halberd.Busy"},
				{Method: "Transfer", Parameters: `{"bus":"i2c-2","messages":[{"address":32,"readLength":2}]}`, Refusal: "io.systemd.System"},
				{Method: "Probe", Parameters: `{"bus":"i2c-0","address":80}`, Tolerates: quiet},
				{Method: "Probe", Parameters: `{"bus":"slow","address":72}`, Tolerates: quiet},
				{Method: "Probe", Parameters: `{"bus":"slow","address":9}`, Tolerates: quiet},
				{Method: "Read", Parameters: `{"device":"eeprom","register":0,"length":16}`},
				{Method: "Read", Parameters: `{"device":"big","register":4090,"length":6}`},
				{Method: "Read", Parameters: `{"device":"thermometer","register":0,"length":4}`},
				{Method: "Read", Parameters: `{"device":"eeprom","register":128,"length":1}`, Refusal: "io.halberd.OutOfRange"},
				{Method: "Write", Parameters: `{"device":"eeprom","register":8,"data":"AAECAwQFBgc="}`},
				{Method: "Write", Parameters: `{"device":"thermometer","register":2,"data":"SwBQAA=="}`},
				{Method: "Write", Parameters: `{"device":"big","register":0,"data":"AA=="}`, Refusal: "io.halberd.NotSupported"},
			},
		}
	})
}
