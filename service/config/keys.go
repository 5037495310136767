package config

// Key is one key of a [[grant]], for the reference.
type Key struct{ Name, Doc string }

// GrantKeys lists the keys of a [[grant]].
func GrantKeys() []Key {
	return []Key{
		{"id", `Required. Unique over all files; it appears in the log and in answers.`},
		{"users", `Who: names, uids, ranges as "10000-19999". At least one of users, groups, units and labels; those given must all match, one entry of each.`},
		{"groups", `Who: names, gids, ranges. The primary group or a supplementary one; of a datagram the primary one alone.`},
		{"units", `Who: systemd units. Never matches a datagram.`},
		{"labels", `Who: labels of SELinux or Smack. Never matches a datagram.`},
		{"methods", `What: full names, INTERFACE.*, or io.halberd.*. With verbs, both must cover a call; at least one of them is needed.`},
		{"verbs", `What: observe, control, configure, hazard, administer.`},
		{"devices", `On what: IDs in the method's class, or Class/ID; a * only at the end. Required unless no named method takes a device.`},
		{"where", `Limits on parameters: { brightness = { min = 1, max = 128 } } or { in = [...] }. A method that does not have the parameter is not covered at all.`},
		{"rate", `How often, for each uid, those of one range in /etc/subuid taken together: "50/s", "5/min", "10/h".`},
		{"burst", `How many at once after a pause, with rate: as many as the rate has in its time where left out.`},
	}
}
