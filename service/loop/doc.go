// Package loop is the one goroutine that serves every connection: one epoll instance, one eventfd through which other goroutines reach it,
// and one timerfd for all timers.
//
// Why one loop: a goroutine per connection costs a park and a wake-up per call, 42 µs of processor time instead of 12, and starves some of 64
// busy clients. What runs on the loop needs no locks, since nothing else touches it.
//
// Why the waits are ordinary ones: around a blocking system call Go's monitor used to take the processor away and hand it back, some 4 thread switches
// a call instead of 1.3, and a wait in RawSyscall, held for 4 ms, was not seen by it. Since Go 1.26 the monitor leaves a wait alone for 10 ms where a
// processor of the runtime's is idle, and cmd/halberd sees to it that one is, on a machine with one processor too. Side by side, ordinary waits are
// then as fast or faster (one CPU, SEQPACKET 11.7 against 12.1 µs, DGRAM 12.2 against 13.3, STREAM 16.7 against 15.6), and need no exceptions: a held
// one may not be used while a worker is at its job, nor when a timer is near.
//
// Why the loop yields every 5 ms: a goroutine that runs for 10 ms without the scheduler seeing another one is preempted by the monitor, which then looks
// again 50 times in a row, every 20 µs. With the yield it wakes up a quarter as often (on one processor 180 times a second instead of 680), and these
// wake-ups are what the 99th percentile of a call consists of.
//
// Why timers are a timerfd: a time.Timer would fire on another goroutine, and what it does would have to be handed to the loop.
//
// Why EINTR is nothing special: the runtime preempts goroutines with a signal, and it arrives in any raw wait.
//
// Why the events lie on the heap: stacks move, and the kernel is told an address.
//
// Why an event carries a generation beside its descriptor: a callback may close a descriptor and open another one that gets the same number,
// while events for the old one are still waiting in this round.
package loop
