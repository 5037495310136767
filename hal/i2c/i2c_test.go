package i2c

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/halberd-io/halberd/hal/sim"
	"github.com/halberd-io/halberd/hal/sim/simtest"
)

// bench has a bus of plain I2C with a sensor that the kernel has, an EEPROM and a big one; the same on a bus of SMBus; and a bus of SMBus without blocks.
func bench() *sim.Kernel {
	k := sim.New(sim.Options{Bare: true})
	chips := []sim.I2CChip{{Address: 0x48, Kind: "lm75", Driver: "lm75"}, {Address: 0x49, Kind: "lm75"}, {Address: 0x50, Kind: "24c02"}, {Address: 0x51, Kind: "24c32"}}
	k.AddI2C(sim.I2C{Name: "plain", Chips: chips})
	k.AddI2C(sim.I2C{Name: "SMBus stub driver", Functions: sim.SMBusI2C, Silence: unix.ENODEV, Chips: chips})
	k.AddI2C(sim.I2C{Name: "PIIX4", Functions: sim.SMBusOnly, Silence: unix.EREMOTEIO, Chips: chips})
	return k
}

// all are the entries of every bench: each bus with an EEPROM, a big one, and a thermometer.
func all() (entries []simtest.Entry) {
	for i, bus := range []string{"plain", "smbus", "piix"} {
		on := fmt.Sprintf(`"bus":"i2c-%d"`, i)
		entries = append(entries,
			simtest.Entry{Table: "i2c-bus", ID: bus, Keys: fmt.Sprintf(`{"adapter":"i2c-%d"}`, i)},
			simtest.Entry{Table: "i2c", ID: bus + "-eeprom", Keys: `{` + on + `,"address":80,"registers":"0x00-0x3f, 0x80-0xff","write-registers":"0-0x1f","page":8}`},
			simtest.Entry{Table: "i2c", ID: bus + "-big", Keys: `{` + on + `,"address":81,"register-bits":16,"registers":"0-0xfff","write-registers":"0-0xfff","page":32}`},
			simtest.Entry{Table: "i2c", ID: bus + "-heat", Keys: `{` + on + `,"address":73,"register-bytes":2,"registers":"0-3","write-registers":"2-3"}`},
			simtest.Entry{Table: "i2c", ID: bus + "-bound", Keys: `{` + on + `,"address":72,"register-bytes":2,"registers":"0"}`})
	}
	return entries
}

func b64(b ...byte) string { return base64.StdEncoding.EncodeToString(b) }

func data(b ...byte) string { return `{"data":"` + b64(b...) + `"}` }

func TestNames(t *testing.T) {
	k := bench()
	k.AddI2C(sim.I2C{Under: "platform/halberd-sim=platform/i2c-0=i2c"})
	b := simtest.Open(t, Driver(), k, false, simtest.Entry{Table: "i2c-bus", ID: "main", Keys: `{"adapter":"plain"}`},
		simtest.Entry{Table: "i2c", ID: "eeprom", Keys: `{"bus":"main","address":80,"registers":"0"}`},
		simtest.Entry{Table: "i2c", ID: "other", Keys: `{"bus":"i2c-0","address":81,"registers":"0"}`},
		simtest.Entry{Table: "i2c", ID: "z", Keys: `{"bus":"/sys/bus/i2c/devices/i2c-3","address":80,"registers":"0"}`})
	var got []string
	for i := range b.Class.Devices.Len() {
		d := b.Class.Devices.At(i)
		got = append(got, d.ID()+" on "+d.Bus())
	}
	want := "eeprom on i2c-0, i2c-1 on i2c-1, i2c-2 on i2c-2, i2c-3 on i2c-0, main on i2c-0, other on i2c-0, z on i2c-0"
	if got := strings.Join(got, ", "); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for id, want := range map[string]string{"eeprom": "NoSuchDevice", "main": "{"} {
		if got := b.Call("Probe", `{"bus":"`+id+`","address":80}`); !strings.HasPrefix(got, want) {
			t.Errorf("Probe of %s: got %s, want %s", id, got, want)
		}
	}
	b.Expect("Read", `{"device":"main","register":0,"length":1}`, `NoSuchDevice{"class":"I2c","device":"main"}`)
}

const (
	nobody  = `System{"origin":"linux","errno":6,"errnoName":"ENXIO"}`
	cannot  = `NotSupported{"feature":"transfer"}`
	hasLM75 = `"holder":"lm75"}`
)

func TestTransfer(t *testing.T) {
	write := func(b ...byte) string { return `{"address":80,"write":"` + b64(b...) + `"}` }
	read := func(n int) string { return fmt.Sprintf(`{"address":80,"readLength":%d}`, n) }
	got := func(all ...string) string {
		for i, one := range all {
			all[i] = `{"data":"` + one + `"}`
		}
		return `{"reads":[` + strings.Join(all, ",") + `]}`
	}
	at0, many, block := b64(1, 2, 3, 4), make([]byte, 34), append([]byte{1, 2, 3, 4}, bytes.Repeat([]byte{0xff}, 28)...)
	for _, c := range []struct{ name, messages, plain, smbus, piix string }{
		{"write and read", write(0) + "," + read(4), got(at0), got(at0), cannot},
		{"read a byte", write(2) + "," + read(1), got(b64(3)), got(b64(3)), got(b64(3))},
		{"read a word", write(2) + "," + read(2), got(b64(3, 4)), got(b64(3, 4)), got(b64(3, 4))},
		{"read a block", write(0) + "," + read(32), got(b64(block...)), got(b64(block...)), cannot},
		{"read more than a block", write(0) + "," + read(33), "", cannot, cannot},
		{"write a byte", write(3), got(), got(), got()},
		{"write byte data", write(16, 7), got(), got(), got()},
		{"write a word", write(16, 7, 8), got(), got(), got()},
		{"write a block", write(16, 7, 8, 9), got(), got(), cannot},
		{"write more than a block", write(many...), got(), cannot, cannot},
		{"read where it stands", read(1), got(b64(1)), got(b64(1)), got(b64(1))},
		{"read two where it stands", read(2), got(b64(1, 2)), cannot, cannot},
		{"three messages", write(0) + "," + read(1) + "," + read(1), got(b64(1), b64(2)), cannot, cannot},
		{"two chips", write(0) + `,{"address":81,"readLength":1}`, got(b64(0xff)), cannot, cannot},
		{"nobody there", `{"address":33,"write":"AA=="}`, nobody, `DeviceGone{"class":"I2c","device":"smbus"}`, `System{"origin":"linux","errno":121,"errnoName":"EREMOTEIO"}`},
		{"the kernel's", write(0) + `,{"address":72,"readLength":1}`, `Busy{"class":"I2c","device":"plain",` + hasLM75, `Busy{"class":"I2c","device":"smbus",` + hasLM75, `Busy{"class":"I2c","device":"piix",` + hasLM75},
		{"neither", `{"address":80}`, `InvalidParameter{"parameter":"messages[0]"}`, "", ""},
		{"both", read(1) + `,{"address":80,"write":"AA==","readLength":1}`, `InvalidParameter{"parameter":"messages[1]"}`, "", ""},
		{"empty", write(), `InvalidParameter{"parameter":"messages[0].write"}`, "", ""},
		{"reserved below", `{"address":7,"readLength":1}`, `InvalidParameter{"parameter":"messages[0].address"}`, "", ""},
		{"reserved above", `{"address":120,"readLength":1}`, `InvalidParameter{"parameter":"messages[0].address"}`, "", ""},
		{"ten bits", `{"address":256,"readLength":1}`, `InvalidParameter{"parameter":"messages[0].address"}`, "", ""},
		{"as much as fits", read(8192) + "," + read(8192), "", cannot, cannot},
		{"more than fits", read(8192) + "," + read(8192) + "," + read(1), `MessageTooLarge{"limit":16384}`, "", ""},
	} {
		for bus, want := range map[string]string{"plain": c.plain, "smbus": c.smbus, "piix": c.piix} {
			if want == "" {
				continue
			}
			t.Run(c.name+" on "+bus, func(t *testing.T) {
				b := simtest.Open(t, Driver(), bench(), false, all()...)
				fill(b, bus)
				b.Expect("Transfer", `{"bus":"`+bus+`","messages":[`+c.messages+`]}`, want)
			})
		}
	}
}

// fill writes 1 to 4 into the EEPROM of a bus, and lets it stand at the beginning.
func fill(b *simtest.Bench, bus string) {
	b.Helper()
	for i := range byte(4) {
		b.Expect("Transfer", `{"bus":"`+bus+`","messages":[{"address":80,"write":"`+b64(i, i+1)+`"}]}`, `{"reads":[]}`)
	}
	b.Expect("Transfer", `{"bus":"`+bus+`","messages":[{"address":80,"write":"AA=="}]}`, `{"reads":[]}`)
}
