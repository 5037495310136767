package sim

import (
	_ "embed" // for the board's own board.toml
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/halberd-io/halberd/hal"
)

//go:embed board.toml
var boardTOML string

// BoardTOML is the board.toml of the built-in board.
func (k *Kernel) BoardTOML() string { return boardTOML }

// furnish adds the devices of the built-in board.
func (k *Kernel) furnish() {
	k.AddChip(Chip{Label: "sim-gpio", Lines: []Line{
		{Name: "relay-pump"}, {Name: "relay-up"}, {Name: "relay-down"}, {Name: "button"}, {Name: "door"},
		{}, {}, {Name: "usb-power", Kernel: "regulator-vbus", Output: true, Level: 1},
	}})
	k.AddLED(LED{Name: "front:white", Max: 255})
	k.AddLED(LED{Name: "status:rgb", Max: 255, Colors: []string{"red", "green", "blue"}})
	k.AddPolicy(Policy{CPUs: []int{0, 1, 2, 3}, Frequencies: []int64{600_000, 1_000_000, 1_500_000, 1_800_000}, Governors: []string{"schedutil", "ondemand", "powersave", "performance"}})
	k.AddRadio(Radio{Name: "phy0", Type: "wlan"})
	k.AddZone(Sensor{Attributes: map[string]string{"type": "cpu-thermal", "temp": "41000", "mode": "enabled"}})
	k.AddHwmon(Sensor{Attributes: map[string]string{
		"name": "sim_supply", "in1_input": "12000", "in1_label": "supply", "in1_min": "10800", "in1_max": "13200", "in1_alarm": "0",
	}})
	k.AddSupply(Supply{Name: "main", ChargeLimits: true, Properties: map[string]string{
		"TYPE": "Battery", "STATUS": "Discharging", "PRESENT": "1", "TECHNOLOGY": "Li-ion", "HEALTH": "Good", "CAPACITY": "87", "VOLTAGE_NOW": "3912000",
		"CURRENT_NOW": "-412000", "CHARGE_NOW": "2610000", "CHARGE_FULL": "3000000", "TEMP": "298", "CYCLE_COUNT": "31",
	}})
	k.AddProcessor(Processor{Name: "m4", Firmware: "m4.elf", Files: []string{"m4.elf"}})
	k.AddPort(Port{Name: "ttySIM0", MaxBaud: 3_000_000, RS485: true})
	k.AddInput(Input{Name: "keys"})
	k.AddInput(Input{Name: "buzzer", Rumble: true})
	// On a slow bus, so that what an app sees of one can be tried: such a call is a worker's.
	k.AddHwmon(Sensor{Under: OnI2C, Attributes: map[string]string{"name": "lm75", "temp1_input": "38500"}})
	k.AddWatchdog(Watchdog{Pretimeout: true})
	k.AddRTC(RTC{Start: time.Now()})
	k.AddI2C(I2C{Chips: []I2CChip{{Address: 0x48, Kind: "lm75"}, {Address: 0x50, Kind: "24c02"}}})
	// The bus of the sensor above, whose address is its driver's.
	k.AddI2C(I2C{Number: 1, Under: "platform/halberd-i2c=platform", Chips: []I2CChip{{Address: 0x48, Kind: "lm75", Driver: "lm75"}}})
	k.AddSPI(SPI{})
	k.AddBacklight(Backlight{Name: "panel", Max: 255, Brightness: 200})
	k.AddPWMChip(PWMChip{Under: "platform/sim-pwm=platform", Channels: 1})
	k.AddFan(Fan{Driver: FanChip, Under: "platform/sim-fan=platform", Name: "sim_fan", Speed: 3000})
}

// keyPower is KEY_POWER of linux/input-event-codes.h.
const keyPower = 116

// Live lets the built-in board move by itself: the button and the door toggle now and then, and the temperature and the supply drift. The same seed makes the same moves. It ends with stop,
// which the loop's goroutine calls. The board's time goes on with the world's from now on.
func (k *Kernel) Live(loop hal.Loop, seed uint64) (stop func()) {
	l := &life{kernel: k, loop: loop, chance: rand.New(rand.NewPCG(seed, seed))}
	k.startClock()
	l.rest()
	return func() { l.stop() }
}

// life moves the board.
type life struct {
	kernel *Kernel
	loop   hal.Loop
	chance *rand.Rand
	stop   func()
}

// rest waits half a second to two.
func (l *life) rest() {
	l.stop = l.loop.After(500*time.Millisecond+time.Duration(l.chance.IntN(1500))*time.Millisecond, l.move)
}

func (l *life) move() {
	switch l.chance.IntN(6) {
	case 0:
		l.toggle("button")
	case 1:
		l.toggle("door")
		l.kernel.Press("event0", keyPower, int32(l.kernel.Value("door")))
	case 2:
		l.kernel.SetAttribute("hwmon0", "in1_input", l.around(12000, 150))
	default:
		l.kernel.SetAttribute("thermal_zone0", "temp", l.around(42000, 4000))
	}
	l.rest()
}

func (l *life) toggle(line string) { l.kernel.Pull(line, 1-l.kernel.Value(line)) }

func (l *life) around(middle, by int) string {
	return strconv.Itoa(middle - by + l.chance.IntN(2*by+1))
}
