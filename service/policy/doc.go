// Package policy decides whether a call may be carried out.
//
// The grants of policy.d are compiled once (Compile). For each peer a Snapshot is taken of the grants whose identity matches it; from then on a call costs a few look-ups, however many
// grants there are. There are only grants: what none of them covers is denied.
//
// A Policy and its Snapshots belong to one goroutine, the server's loop. Compile may run on another one, since it shares nothing with the policy before but the token buckets, which
// are guarded.
package policy
