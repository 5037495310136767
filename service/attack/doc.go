// Package attack tries what a process without privileges can do to a daemon: to stop it, to fool it, or to outlast it.
//
// The attacker is a child, the test binary started again under a uid of its own, which has a few grants and no privilege. Beside it runs a victim, a child of yet another uid, whose calls must all
// be answered rightly whatever the attacker does. After each attack the daemon has as many descriptors as before, no more memory than it may have, and no device was touched that the attacker
// has no grant for.
//
// The attacks need an address alone, so the same ones run against a server in the test's own process, against a daemon that was started, under user-mode emulation, and against the daemon of a
// booted system. How long the victim waits is said, and not judged: tests whose names have Soak in them let each attack go on for so long that it is worth reading (HALBERD_SOAK=1).
package attack
