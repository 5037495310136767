// Package frame takes messages in and sends them out: one message per NUL on a stream, one per packet otherwise.
//
// Everything here is non-blocking and is meant for one goroutine. System calls on the way of a call go by RawSyscall, since they cannot block and
// the runtime need not be told; what the kernel is given an address of lies on the heap, or is converted in the call itself.
package frame
