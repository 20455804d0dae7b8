package spi

// Msg is WSAMSG: what WSARecvMsg and WSASendMsg move beside the data.
// Source: ws2def/ns-ws2def-wsamsg.
type Msg struct {
	Name        *byte // an address, or nil
	NameLen     int32 // its room, or its length
	_           int32
	Buffers     *Buf
	BufferCount uint32
	_           uint32
	Control     Buf // a run of [CmsgHdr], each followed by its data
	Flags       uint32
	_           uint32
}

// CmsgHdr is WSACMSGHDR: the header of one piece of control information. Len
// counts the header and the data without the padding to 8 bytes behind it.
// Source: ws2def/ns-ws2def-wsacmsghdr.
type CmsgHdr struct {
	Len   uintptr
	Level int32
	Type  int32
}

// PollFD is WSAPOLLFD: what to wait for on one socket, and what was found.
// Source: winsock2/ns-winsock2-wsapollfd.
type PollFD struct {
	FD      Socket
	Events  int16 // asked for: POLLRDNORM, POLLRDBAND, POLLWRNORM
	Revents int16 // found, with POLLERR, POLLHUP and POLLNVAL unasked
	_       int32
}

// Bits of [PollFD].
const (
	POLLERR    = 0x0001 // an error, or a connection that failed
	POLLHUP    = 0x0002 // the peer has closed or reset the connection
	POLLNVAL   = 0x0004 // not an open socket
	POLLWRNORM = 0x0010 // can be written
	POLLOUT    = POLLWRNORM
	POLLWRBAND = 0x0020
	POLLRDNORM = 0x0100 // normal data, or a connection, can be read
	POLLRDBAND = 0x0200 // priority data can be read
	POLLIN     = POLLRDNORM | POLLRDBAND
	POLLPRI    = 0x0400
)
