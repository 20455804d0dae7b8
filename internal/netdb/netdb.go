// Package netdb knows services and protocols by name and number: from the
// system's files, and from a table of its own for what these do not have.
package netdb

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Service is a service on a port.
type Service struct {
	Name     string
	Aliases  []string
	Protocol string // "tcp", "udp"
	Port     uint16
}

// Protocol is a protocol of IP.
type Protocol struct {
	Name    string
	Aliases []string
	Number  uint8
}

// Database is the files that are looked into. They are read again when they
// have changed.
type Database struct {
	services, protocols file
}

// Open returns the database in two files of the form of services(5) and
// protocols(5), which need not exist.
func Open(services, protocols string) *Database {
	return &Database{services: file{path: services}, protocols: file{path: protocols}}
}

// System is the database of this machine.
var System = Open(servicesPath, protocolsPath)

// ServiceByName returns a service by its name or an alias; an empty protocol
// means the first.
func (d *Database) ServiceByName(name, protocol string) (Service, bool) {
	return d.service(func(s *Service) bool {
		return (protocol == "" || s.Protocol == protocol) && (s.Name == name || slices.Contains(s.Aliases, name))
	})
}

// ServiceByPort returns the service on a port; an empty protocol means the first.
func (d *Database) ServiceByPort(port uint16, protocol string) (Service, bool) {
	return d.service(func(s *Service) bool { return s.Port == port && (protocol == "" || s.Protocol == protocol) })
}

func (d *Database) service(matches func(*Service) bool) (Service, bool) {
	for _, fields := range d.services.lines() {
		if s, ok := parseService(fields); ok && matches(&s) {
			return s, true
		}
	}
	for _, s := range builtInServices {
		if matches(&s) {
			return s, true
		}
	}
	return Service{}, false
}

// ProtocolByName returns a protocol by its name or an alias.
func (d *Database) ProtocolByName(name string) (Protocol, bool) {
	return d.protocol(func(p *Protocol) bool { return p.Name == name || slices.Contains(p.Aliases, name) })
}

// ProtocolByNumber returns a protocol by its number.
func (d *Database) ProtocolByNumber(number int32) (Protocol, bool) {
	return d.protocol(func(p *Protocol) bool { return int32(p.Number) == number })
}

func (d *Database) protocol(matches func(*Protocol) bool) (Protocol, bool) {
	for _, fields := range d.protocols.lines() {
		if p, ok := parseProtocol(fields); ok && matches(&p) {
			return p, true
		}
	}
	for _, p := range builtInProtocols {
		if matches(&p) {
			return p, true
		}
	}
	return Protocol{}, false
}

func parseService(fields []string) (Service, bool) {
	if len(fields) < 2 {
		return Service{}, false
	}
	number, protocol, ok := strings.Cut(fields[1], "/")
	port, err := strconv.ParseUint(number, 10, 16)
	if !ok || protocol == "" || err != nil {
		return Service{}, false
	}
	return Service{Name: fields[0], Protocol: protocol, Port: uint16(port), Aliases: fields[2:]}, true
}

func parseProtocol(fields []string) (Protocol, bool) {
	if len(fields) < 2 {
		return Protocol{}, false
	}
	number, err := strconv.ParseUint(fields[1], 10, 8)
	if err != nil {
		return Protocol{}, false
	}
	return Protocol{Name: fields[0], Number: uint8(number), Aliases: fields[2:]}, true
}

// largestFile bounds what is read of a file, in bytes.
const largestFile = 4 << 20

// file is a text file as the fields of its lines.
type file struct {
	path string

	mu       sync.Mutex // held over the reading; guards the rest
	modified time.Time
	size     int64
	fields   [][]string
}

// lines returns the lines without comments, from the file as it is now.
func (f *file) lines() [][]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	info, err := os.Stat(f.path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > largestFile {
		f.fields, f.size = nil, 0
		return nil
	}
	if info.ModTime().Equal(f.modified) && info.Size() == f.size {
		return f.fields
	}
	text, err := os.ReadFile(f.path)
	if err != nil {
		return nil
	}
	f.modified, f.size = info.ModTime(), info.Size()
	if time.Since(f.modified) < settled {
		f.modified = time.Time{}
	}
	f.fields = parse(string(text))
	return f.fields
}

// settled is the age from which a file's time tells of the next change: a clock
// that counts in ticks gives two changes of one tick the same time.
const settled = time.Second

func parse(text string) (lines [][]string) {
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		if fields := strings.Fields(line); len(fields) > 0 {
			lines = append(lines, fields)
		}
	}
	return lines
}
