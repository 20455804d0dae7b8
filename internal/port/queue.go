package port

// chunkLen packets of 40 bytes and a link fill the allocator's class of 4096.
const chunkLen = 102

type chunk struct {
	packets [chunkLen]Packet
	next    *chunk
}

// queue is a first-in first-out queue of packets in a list of chunks. Memory
// follows its length; one chunk is kept for the next time. The zero value is
// empty.
type queue struct {
	len         int
	first, tail *chunk
	start, end  int // of the packets in first and in tail
	spare       *chunk
}

func (q *queue) push(p Packet) {
	if q.tail == nil || q.end == chunkLen {
		c := q.spare
		if q.spare = nil; c == nil {
			c = new(chunk)
		}
		if q.tail == nil {
			q.first, q.start = c, 0
		} else {
			q.tail.next = c
		}
		q.tail, q.end = c, 0
	}
	q.tail.packets[q.end] = p
	q.end++
	q.len++
}

// pop moves the oldest packets to room and returns how many there were.
func (q *queue) pop(room []Packet) int {
	n := min(q.len, len(room))
	for i := range n {
		c := q.first
		room[i] = c.packets[q.start]
		c.packets[q.start] = Packet{} // let go of the operation
		q.start++
		q.len--
		if q.len == 0 { // use the same chunk again
			q.start, q.end = 0, 0
		} else if q.start == chunkLen {
			q.first, q.start = c.next, 0
			c.next = nil
			q.spare = c
		}
	}
	return n
}

// reset empties the queue and lets go of its memory.
func (q *queue) reset() { *q = queue{} }

// drain empties the queue and calls f for each packet.
func (q *queue) drain(f func(Packet)) {
	var room [1]Packet
	for q.pop(room[:]) > 0 {
		f(room[0])
	}
}
