package trace

import (
	"fmt"
	"io"
	"log"
	"os"
	"sync"
	"sync/atomic"
)

// sink is where the lines go. Each line is one write, which the file keeps
// whole among those of other goroutines and processes. A write that fails is
// told once and otherwise ignored: a trace never breaks what it traces.
type sink struct {
	name   string
	out    io.Writer
	file   *os.File // nil for standard error, which stays open
	failed sync.Once

	users atomic.Int64 // the tracer until its Close, and each line in the making
}

func newSink(name string, out io.Writer) *sink {
	s := &sink{name: name, out: out}
	s.users.Store(1)
	return s
}

// openSink opens the file at path, which it makes if need be; "" is standard
// error.
func openSink(path string) (*sink, error) {
	if path == "" {
		return newSink("standard error", os.Stderr), nil
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, unwritable(path, err)
	}
	s := newSink(path, f)
	s.file = f
	return s, nil
}

func unwritable(path string, err error) error {
	return fmt.Errorf("file=%q cannot be written, choose another: %w", path, err)
}

func (s *sink) write(line []byte) {
	if _, err := s.out.Write(line); err != nil {
		s.fail(err)
	}
}

func (s *sink) fail(err error) {
	s.failed.Do(func() { log.Printf("layer trace: lines are lost, for %s cannot be written: %v", s.name, err) })
}

// hold keeps the file open until release. It reports false when the file is
// closed already.
func (s *sink) hold() bool {
	for {
		n := s.users.Load()
		if n == 0 {
			return false
		}
		if s.users.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (s *sink) release() {
	if s.users.Add(-1) == 0 && s.file != nil {
		if err := s.file.Close(); err != nil {
			s.fail(err)
		}
	}
}
