package frame

import "golang.org/x/sys/unix"

// Queue holds what one connection could not be sent yet. The zero value is ready, and an empty queue holds no memory: send with Send what can be
// sent, and queue the rest. The queue sets no bound itself: its owner looks at Len, and takes no more calls from a peer that does not read.
type Queue struct {
	data     []byte    // of all messages, one behind the other
	messages []pending // in order
	sent     int       // bytes of data that are sent
	first    int       // messages that are sent
}

// pending is one message that waits.
type pending struct {
	length int // bytes left
	fds    []int
}

// Push appends a message, which is copied and not empty. The descriptors become the queue's, which closes them when they are sent, or at Drop.
func (q *Queue) Push(msg []byte, fds []int) {
	q.data = append(q.data, msg...)
	q.messages = append(q.messages, pending{len(msg), fds})
}

// Len is how many bytes wait.
func (q *Queue) Len() int { return len(q.data) - q.sent }

// Flush sends as much as the kernel takes without blocking. It returns nil when the queue is empty, EAGAIN when more is left, and any other
// error when the connection is of no use any more. progress says whether anything was sent.
//
// With packets each message is one packet. On a stream, messages go out together, as many as there are, but one with descriptors always begins
// a send: glued behind another one, its descriptors would arrive with the first byte of that one.
func (q *Queue) Flush(fd int, packets bool) (progress bool, err error) {
	for q.first < len(q.messages) {
		n, err := q.sendNext(fd, packets)
		if err != nil {
			q.trim()
			return progress, err
		}
		progress = true
		q.advance(n, packets)
	}
	q.Drop()
	return progress, nil
}

// sendNext sends the next message, on a stream with those behind it that may be glued to it.
func (q *Queue) sendNext(fd int, packets bool) (int, error) {
	head := &q.messages[q.first]
	data := q.data[q.sent:][:head.length]
	if !packets {
		data = q.data[q.sent:][:q.glued()]
	}
	if len(head.fds) == 0 {
		return Send(fd, data, nil)
	}
	n, err := SendFiles(fd, data, head.fds)
	if err == nil {
		head.close()
	}
	return n, err
}

// glued is how many bytes may be sent at once, from the next message on.
func (q *Queue) glued() int {
	total := 0
	for i, m := range q.messages[q.first:] {
		if i > 0 && len(m.fds) > 0 {
			break
		}
		total += m.length
	}
	return total
}

// advance notes that n bytes were sent, or one packet of n bytes.
func (q *Queue) advance(n int, packet bool) {
	q.sent += n
	if packet {
		q.first++
		return
	}
	for q.first < len(q.messages) && q.messages[q.first].length <= n && len(q.messages[q.first].fds) == 0 {
		n -= q.messages[q.first].length
		q.first++
	}
	if n > 0 {
		q.messages[q.first].length -= n
	}
}

// trim moves what is left to the front once that is less than half of it.
func (q *Queue) trim() {
	if q.sent > len(q.data)/2 {
		q.data = q.data[:copy(q.data, q.data[q.sent:])]
		q.sent = 0
	}
	if q.first > len(q.messages)/2 {
		q.messages = append(q.messages[:0], q.messages[q.first:]...)
		q.first = 0
	}
}

// Drop forgets everything and closes the descriptors that the queue owns.
func (q *Queue) Drop() {
	for i := range q.messages[q.first:] {
		q.messages[q.first+i].close()
	}
	*q = Queue{}
}

func (m *pending) close() {
	for _, fd := range m.fds {
		_ = unix.Close(fd)
	}
	m.fds = nil
}
