// Package loop is the one goroutine that serves every connection: one epoll instance, one eventfd through which other goroutines reach it,
// and one timerfd for all timers.
//
// Why one loop: a goroutine per connection costs a park and a wake-up per call, 42 µs of processor time instead of 12, and starves some of 64
// busy clients. What runs on the loop needs no locks, since nothing else touches it.
//
// Why the waits are held: around a blocking system call the Go runtime's monitor takes the processor away and hands it back, some 4 thread
// switches a call instead of 1.3. A wait in RawSyscall is not seen by the monitor. Held for ever, it would also stop the garbage collector, so it
// lasts 4 ms at most, is only used while traffic flows, and is followed by an ordinary wait as soon as it elapsed with nothing: an idle server
// makes no wake-ups. It is not used while a worker is at its job (on a small machine the worker needs the processor), nor when a timer is due
// within it, nor where GOMAXPROCS is 1: then nothing else of the program could run. cmd/halberd sees to it that it is 2 on one processor, too.
//
// Why the loop yields every 5 ms while there is traffic: a goroutine that runs for 10 ms without the scheduler seeing another one is preempted by the
// monitor, which then looks again 50 times in a row, every 20 µs. With the yield it wakes up a quarter as often (on one processor 180 times a second
// instead of 680), and these wake-ups are what the 99th percentile of a call consists of.
//
// What the hold still gives: since Go 1.26 the monitor leaves a wait alone for 10 ms where a processor of the runtime's is idle. Beside ordinary waits held
// ones were then found to make as many calls a second with the same processor time, a p99 some 10 % better and, on STREAM, a median 5 to 10 % worse.
//
// Why timers are a timerfd: a time.Timer would fire on another goroutine and need the runtime's poller, which a held wait keeps from running.
//
// Why EINTR is nothing special: the runtime preempts goroutines with a signal, and it arrives in any raw wait.
//
// Why the events lie on the heap: stacks move, and the kernel is told an address.
//
// Why an event carries a generation beside its descriptor: a callback may close a descriptor and open another one that gets the same number,
// while events for the old one are still waiting in this round.
package loop
