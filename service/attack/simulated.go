package attack

import (
	"fmt"

	"github.com/halberd-io/halberd/service/servicetest"
)

// Who is who where a daemon with the simulated board is attacked.
var (
	Attacker = servicetest.As{UID: 4711, GID: 4711}
	Victim   = servicetest.As{UID: 4712, GID: 4712}
)

// GrantVictim gives the victim a line, to look at alone.
var GrantVictim = fmt.Sprintf(`
[[grant]]
id      = "victim"
users   = [%d]
methods = ["io.halberd.Gpio.Get"]
devices = ["relay-down"]
`, Victim.UID)

// Policy is that of the daemon: attacker and victim have a line each, and root everything.
var Policy = servicetest.GrantAll(0) + fmt.Sprintf(`
[[grant]]
id      = "attacker"
users   = [%d]
methods = ["io.halberd.Gpio.*", "io.halberd.Sensor.Get", "io.halberd.Board.Claim"]
devices = ["Gpio/relay-pump", "Sensor/board"]
`, Attacker.UID) + GrantVictim

// What the victim calls, and is answered.
const (
	VictimCall  = `{"method":"io.halberd.Gpio.Get","parameters":{"line":"relay-down"}}`
	VictimReply = `{"parameters":{"value":0}}`
)

// SetLine is a call that sets a line.
func SetLine(line string, value int) string {
	return fmt.Sprintf(`{"method":"io.halberd.Gpio.Set","parameters":{"line":%q,"value":%d}}`, line, value)
}

// Simulated is a daemon with the simulated board, and that policy.
func Simulated(name string, pid int) Target {
	return Target{
		Name: name, PID: pid, Attacker: Attacker, Victim: Victim,
		Read:        `{"method":"io.halberd.Gpio.Get","parameters":{"line":"relay-pump"}}`,
		Change:      [2]string{SetLine("relay-pump", 1), SetLine("relay-pump", 0)},
		Watch:       `{"method":"io.halberd.Gpio.Watch","parameters":{"lines":["relay-pump"]},"more":true}`,
		Slow:        `{"method":"io.halberd.Sensor.Get","parameters":{"sensor":"board"}}`,
		Claim:       `{"method":"io.halberd.Board.Claim","parameters":{"devices":["Gpio/relay-pump"]}}`,
		Denied:      SetLine("relay-up", 1),
		VictimCall:  VictimCall,
		VictimReply: VictimReply,
		Look: []string{`{"method":"io.halberd.Gpio.GetMany","parameters":{"lines":["relay-up","relay-down"]}}`,
			`{"method":"io.halberd.Led.Get","parameters":{"led":"front"}}`, `{"method":"io.halberd.Board.Holders"}`},
	}
}
