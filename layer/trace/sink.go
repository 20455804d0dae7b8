package trace

import (
	"io"
	"log"
	"os"
	"sync"
)

// sink is where the lines go. Each line is one write, which the file keeps
// whole among those of other goroutines and processes. A write that fails is
// told once and otherwise ignored: a trace never breaks what it traces.
type sink struct {
	name   string
	out    io.Writer
	file   *os.File // nil for standard error, which stays open
	failed sync.Once

	mu   sync.Mutex // guards refs
	refs int
}

func openSink(path string) *sink {
	if path == "" {
		return &sink{name: "standard error", out: os.Stderr, refs: 1}
	}
	s := &sink{name: path, out: io.Discard, refs: 1}
	f, err := open(path)
	if err != nil {
		s.fail(err)
		return s
	}
	s.out, s.file = f, f
	return s
}

func (s *sink) write(line []byte) {
	if _, err := s.out.Write(line); err != nil {
		s.fail(err)
	}
}

func (s *sink) fail(err error) {
	s.failed.Do(func() { log.Printf("layer trace: lines are lost, for %s cannot be written: %v", s.name, err) })
}

// hold keeps the file open until release.
func (s *sink) hold() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refs++
}

func (s *sink) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refs--
	if s.refs == 0 && s.file != nil {
		if err := s.file.Close(); err != nil {
			s.fail(err)
		}
	}
}
