package hosts

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"upcall.dev/spi"
)

// largestFile bounds what is read, in bytes.
const largestFile = 16 << 20

// line is one line of the file: an address and its names, of which there is at
// least one.
type line struct {
	addr  netip.Addr
	names []string
}

var loopback = []line{
	{netip.IPv6Loopback(), []string{"localhost"}},
	{netip.AddrFrom4([4]byte{127, 0, 0, 1}), []string{"localhost"}},
}

// table is what a file says.
type table struct {
	byName map[string][]line // by folded name, in the file's order
	byAddr map[netip.Addr]line
}

// file is the file and what it said when it was last read.
type file struct {
	path string

	mu      sync.Mutex // held over the reading; guards the rest
	seen    fs.FileInfo
	text    []byte
	known   *table
	changes uint64
}

// table returns what the file says now. A file that is not there says nothing.
func (f *file) table() (*table, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	info, err := os.Stat(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		f.take(nil, nil)
		return f.known, nil
	}
	if err != nil || !info.Mode().IsRegular() || info.Size() > largestFile {
		f.take(nil, nil)
		return nil, spi.WSANO_RECOVERY
	}
	if f.seen != nil && os.SameFile(f.seen, info) && f.seen.ModTime().Equal(info.ModTime()) && f.seen.Size() == info.Size() {
		return f.known, nil
	}
	text, err := f.read()
	if err != nil {
		f.take(nil, nil)
		return nil, spi.WSANO_RECOVERY
	}
	if time.Since(info.ModTime()) < settled {
		info = nil
	}
	f.take(info, text)
	return f.known, nil
}

// settled is the age from which a file's time tells of the next change: a clock
// that counts in ticks gives two changes of one tick the same time.
const settled = time.Second

func (f *file) read() ([]byte, error) {
	opened, err := os.Open(f.path)
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	return io.ReadAll(io.LimitReader(opened, largestFile))
}

// take keeps what the file says; a change counts if the text is another.
func (f *file) take(info fs.FileInfo, text []byte) {
	f.seen = info
	if f.known != nil && bytes.Equal(text, f.text) {
		return
	}
	if f.known != nil {
		f.changes++
	}
	f.text, f.known = text, parse(string(text))
}

func (f *file) serial() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.changes
}

// fold makes names that mean the same equal.
func fold(name string) string { return strings.ToLower(strings.TrimRight(name, ".")) }

// parse reads the text. Lines that make no sense are passed over.
func parse(text string) *table {
	t := &table{byName: map[string][]line{}, byAddr: map[netip.Addr]line{}}
	for row := range strings.Lines(text) {
		row, _, _ = strings.Cut(row, "#")
		fields := strings.Fields(row)
		if len(fields) < 2 {
			continue
		}
		addr, err := netip.ParseAddr(fields[0])
		if err != nil {
			continue
		}
		names := slices.DeleteFunc(fields[1:], func(name string) bool { return fold(name) == "" })
		if len(names) == 0 {
			continue
		}
		l := line{addr: addr.Unmap(), names: names}
		for i, name := range l.names {
			if !containsFolded(l.names[:i], name) {
				t.byName[fold(name)] = append(t.byName[fold(name)], l)
			}
		}
		if _, known := t.byAddr[l.addr]; !known {
			t.byAddr[l.addr] = l
		}
	}
	return t
}

func containsFolded(names []string, name string) bool {
	for _, other := range names {
		if fold(other) == fold(name) {
			return true
		}
	}
	return false
}
