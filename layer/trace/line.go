package trace

import (
	"encoding/hex"
	"encoding/json"
	"strconv"
	"sync"
	"time"

	"upcall.dev/spi"
)

// line is one call while it runs, then one line of the trace.
type line struct {
	function
	start   time.Time
	socket  spi.Socket // with hasSock
	hasSock bool
	args    string // what else the call was given, for people
	address string // of the call, or that it returned
	from    bool   // the call returned the address
	asked   int    // bytes offered or buffer size, -1 when the call transfers nothing
	moved   int    // bytes transferred, -1 when the call did not
	made    spi.Socket
	hasMade bool
	value   string // what else the call returned
	errno   spi.Errno
	took    time.Duration
	ended   bool          // the line tells how an overlapped operation ended: took counts from its start, -1 is unknown
	of      string        // the call that started the operation whose result is asked for
	since   time.Duration // and how long ago, with of
	data    []byte        // the first bytes transferred
	cut     bool          // there were more

	text []byte // the line being composed; its memory is used again
}

var lines = sync.Pool{New: func() any { return new(line) }}

func (l *line) reset(f function, now time.Time) {
	*l = line{function: f, start: now, asked: -1, moved: -1, data: l.data[:0], text: l.text[:0]}
}

// preview keeps the first bytes of n that a transfer moved, limit at most.
func (l *line) preview(bufs []spi.Buf, n, limit int) {
	l.cut = n > limit
	n = min(n, limit)
	for i := range bufs {
		b := bufs[i].Bytes()
		b = b[:min(n, len(b))]
		l.data = append(l.data, b...)
		n -= len(b)
		if n == 0 {
			return
		}
	}
}

// result returns the outcome: a WSA name, ok or pending.
func (l *line) result() string {
	switch l.errno {
	case 0:
		return "ok"
	case spi.WSA_IO_PENDING:
		return "pending"
	}
	return l.errno.Name()
}

// composeText writes the line for people, for example:
//
//	09:41:07.000123 WSPSend(7, 64 bytes) = 64 bytes <18µs> "GET / HTTP/1.1\r\n"
func (l *line) composeText() []byte {
	b := l.start.AppendFormat(l.text, "15:04:05.000000 ")
	b = append(b, l.name...)
	b = append(b, '(')
	if l.hasSock {
		b = appendSocket(b, l.socket)
	}
	if l.args != "" {
		b = append(comma(b), l.args...)
	}
	if l.asked >= 0 {
		b = append(strconv.AppendInt(comma(b), int64(l.asked), 10), " bytes"...)
	}
	if l.address != "" && !l.from {
		b = append(comma(b), l.address...)
	}
	b = append(b, ')')
	if l.ended {
		b = append(b, " completed"...)
	}
	b = append(b, " = "...)
	switch {
	case l.errno != 0:
		b = append(b, l.result()...)
	case l.hasMade:
		b = appendSocket(b, l.made)
	case l.moved >= 0:
		b = append(strconv.AppendInt(b, int64(l.moved), 10), " bytes"...)
	case l.value != "":
		b = append(b, l.value...)
	case l.address == "" || !l.from:
		b = append(b, "ok"...)
	}
	if l.address != "" && l.from {
		if b[len(b)-1] != ' ' {
			b = append(b, " from "...)
		}
		b = append(b, l.address...)
	}
	if l.of != "" {
		b = append(b, ", "...)
		b = append(b, l.since.Round(time.Microsecond).String()...)
		b = append(b, " after "...)
		b = append(b, l.of...)
		b = append(b, " began"...)
	}
	if l.took >= 0 {
		b = append(b, " <"...)
		b = append(b, l.took.Round(time.Microsecond).String()...)
		b = append(b, '>')
	}
	if len(l.data) > 0 {
		b = append(b, ' ')
		if isText(l.data) {
			b = strconv.AppendQuoteToASCII(b, string(l.data))
		} else {
			b = append(b, "hex "...)
			b = hex.AppendEncode(b, l.data)
		}
		if l.cut {
			b = append(b, "..."...)
		}
	}
	l.text = append(b, '\n')
	return l.text
}

func comma(b []byte) []byte {
	if b[len(b)-1] == '(' {
		return b
	}
	return append(b, ", "...)
}

// appendSocket writes a descriptor in decimal, and a handle of the DLL's in
// hexadecimal, which shows its parts.
func appendSocket(b []byte, s spi.Socket) []byte {
	if s < 1<<32 {
		return strconv.AppendUint(b, uint64(s), 10)
	}
	return strconv.AppendUint(append(b, "0x"...), uint64(s), 16)
}

// object is the line as JSON.
type object struct {
	Time    string   `json:"time"`
	Call    string   `json:"call"`
	Socket  *uint64  `json:"socket,omitempty"`
	Args    string   `json:"args,omitempty"`
	Address string   `json:"address,omitempty"`
	Asked   *int     `json:"asked,omitempty"`
	Bytes   *int     `json:"bytes,omitempty"`
	Made    *uint64  `json:"made,omitempty"`
	Value   string   `json:"value,omitempty"`
	Result  string   `json:"result"`
	Code    int32    `json:"code"`
	Seconds *float64 `json:"seconds,omitempty"`
	Ended   bool     `json:"completed,omitempty"`
	Of      string   `json:"of,omitempty"`
	Since   float64  `json:"since,omitempty"`
	Text    string   `json:"text,omitempty"`
	Hex     string   `json:"hex,omitempty"`
	Cut     bool     `json:"cut,omitempty"`
}

func (l *line) composeJSON() []byte {
	o := object{
		Time: l.start.UTC().Format("2006-01-02T15:04:05.000000Z"), Call: l.name, Args: l.args, Address: l.address,
		Value: l.value, Result: l.result(), Code: int32(l.errno), Ended: l.ended, Of: l.of, Since: l.since.Seconds(), Cut: l.cut,
	}
	if l.took >= 0 {
		seconds := l.took.Seconds()
		o.Seconds = &seconds
	}
	if l.hasSock {
		s := uint64(l.socket)
		o.Socket = &s
	}
	if l.hasMade {
		s := uint64(l.made)
		o.Made = &s
	}
	if l.asked >= 0 {
		o.Asked = &l.asked
	}
	if l.moved >= 0 {
		o.Bytes = &l.moved
	}
	if isText(l.data) {
		o.Text = string(l.data)
	} else {
		o.Hex = hex.EncodeToString(l.data)
	}
	b, err := json.Marshal(o)
	if err != nil {
		panic(err) // a struct of strings and finite numbers has a JSON form
	}
	l.text = append(append(l.text, b...), '\n')
	return l.text
}

// isText reports whether bytes read better as text than in hexadecimal: they
// are printable ASCII and white space.
func isText(b []byte) bool {
	for _, c := range b {
		if (c < ' ' || c > '~') && c != '\r' && c != '\n' && c != '\t' {
			return false
		}
	}
	return true
}
