package service

// How calls are carried out in turn. Who comes alone is served at once. Where more than one connection is ready, or somebody waits already, each waits in the
// line of its uid, and the uids are served one after the other: once the loop has seen that it is ready, none waits longer than for maxTurn calls of all others
// together, or for one call of each where more than maxTurn uids wait. The loop sees 256 of those that are ready in each round, and all in turn.

// guest is who waits for its turn: a connection, or a datagram.
type guest interface {
	// turn carries out calls until they have cost most, and says what they cost, and whether more wait.
	turn(most int) (cost int, more bool)
}

// maxTurn is what is carried out before the loop looks again who is ready. A short call costs 1.
const maxTurn = 32

// costOf is what a call counts for in a turn, by the bytes that it moves.
func costOf(bytes int) int { return 1 + bytes>>12 }

// alone reports whether nobody waits for a turn, and nobody else is ready.
func (s *Server) alone() bool { return s.ring.empty() && !s.loop.Crowded() }

// await puts a guest at the end of the line of its account.
func (s *Server) await(a *account, g guest) {
	a.waiting.push(g)
	if !a.due {
		a.due = true
		s.ring.push(a)
	}
	s.plan()
}

// plan has turns taken at the end of the round, while anybody waits.
func (s *Server) plan() {
	if !s.planned && !s.ring.empty() {
		s.planned = true
		s.loop.Later(s.turns)
	}
}

// takeTurns serves accounts, each its share.
func (s *Server) takeTurns() {
	s.planned = false
	for left := maxTurn; left > 0 && !s.ring.empty(); {
		share := max(1, maxTurn/s.ring.len())
		a := s.ring.pop()
		left -= a.serve(min(share, left))
		if a.waiting.empty() {
			a.due = false
			s.tidy(a)
		} else {
			s.ring.push(a)
		}
	}
	s.plan()
}

// serve gives guests of one account their turns, and says what they cost.
func (a *account) serve(share int) (cost int) {
	for cost < share && !a.waiting.empty() {
		g := a.waiting.pop()
		spent, more := g.turn(share - cost)
		cost += max(spent, 1)
		if more {
			a.waiting.push(g)
		}
	}
	return cost
}

// line is a queue: who comes first is served first. The zero value is an empty one.
type line[T any] struct {
	items []T
	first int
}

func (q *line[T]) len() int    { return len(q.items) - q.first }
func (q *line[T]) empty() bool { return q.first == len(q.items) }
func (q *line[T]) push(x T)    { q.items = append(q.items, x) }

// pop takes the first one. There has to be one.
func (q *line[T]) pop() T {
	x := q.items[q.first]
	clear(q.items[q.first : q.first+1])
	q.first++
	if q.first > len(q.items)/2 {
		left := copy(q.items, q.items[q.first:])
		clear(q.items[left:])
		q.items, q.first = q.items[:left], 0
	}
	return x
}
