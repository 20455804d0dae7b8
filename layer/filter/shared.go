package filter

import (
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"upcall.dev/internal/trusted"
	"upcall.dev/layer"
	"upcall.dev/spi"
)

// shared is what one installation of the layer has, over whatever providers.
type shared struct {
	id spi.GUID
	config

	loaded atomic.Pointer[loaded] // nil before the first start
	log    atomic.Pointer[journal]

	mu      sync.Mutex // guards the rest, also while the file is read
	users   int
	host    *layer.Host
	told    string // the latest message about the file
	targets map[targetKey]*target
	sends   bool // rules sent sockets to other chains at the start
	passed  bool // some sockets have handles that are passed through
	mapped  bool // some have handles that package nonifs maps
}

// loaded is the policy for the program, and what it was read from.
type loaded struct {
	*policy
	seen fs.FileInfo // nil: look at the file again
}

// settled is the age from which a file's time tells of the next change: a clock
// that counts in ticks gives two changes of one tick the same time.
const settled = time.Second

// check reads the rules without keeping them.
func (s *shared) check() error {
	_, _, err := s.read()
	return err
}

// read returns what the options and the file say.
func (s *shared) read() (*policy, fs.FileInfo, error) {
	if s.file == "" {
		return s.policy(nil), nil, nil
	}
	text, info, err := trusted.Read(s.file, largestFile)
	if errors.Is(err, fs.ErrNotExist) {
		err = errors.New("there is no such file: write it, or leave the option out")
	}
	if err != nil {
		return nil, info, fmt.Errorf("rules=%q: %w", s.file, err)
	}
	f, err := parseFile(s.file, text, s.deniedBy())
	if err != nil {
		return nil, info, fmt.Errorf("rules=%q: %w", s.file, err)
	}
	return s.policy(f), info, nil
}

func (s *shared) deniedBy() spi.Errno {
	if s.denied != 0 {
		return s.denied
	}
	return defaultDenied
}

// start counts a user of the rules, and reads them for the first. passed says
// that its sockets are the next provider's own handles.
func (s *shared) start(h *layer.Host, passed bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.host = h
	wasPassed, wasMapped := s.passed, s.mapped
	if !s.own {
		s.passed, s.mapped = s.passed || passed, s.mapped || !passed
	}
	p, info, err := s.read()
	if err == nil && s.users == 0 {
		s.sends = p.sends()
	}
	if err == nil {
		err = s.checkChains(p)
	}
	if err == nil && s.users == 0 {
		var j *journal
		if j, err = openJournal(s.config.log, h.DLL.Application()); err == nil {
			s.log.Store(j)
		}
	}
	if err != nil {
		s.passed, s.mapped = wasPassed, wasMapped
		return err
	}
	s.users++
	s.take(p, info)
	return nil
}

// stop undoes one start. The last one ends the other chains.
func (s *shared) stop() {
	s.mu.Lock()
	s.users--
	if s.users > 0 {
		s.mu.Unlock()
		return
	}
	targets := s.targets
	s.targets, s.passed, s.mapped, s.told = nil, false, false, ""
	s.loaded.Store(nil)
	j := s.log.Swap(nil)
	s.mu.Unlock()
	for _, t := range targets {
		t.cleanup()
	}
	j.close()
}

// take keeps what was read; the caller holds s.mu.
func (s *shared) take(p *policy, info fs.FileInfo) {
	if info != nil && time.Since(info.ModTime()) < settled {
		info = nil
	}
	s.loaded.Store(&loaded{policy: p.of(s.host.DLL.Application()), seen: info})
}

// current returns the rules as they are now. A file that cannot be used changes
// nothing, and is told of once.
func (s *shared) current() *policy {
	l := s.loaded.Load()
	if l == nil {
		return closed
	}
	if s.file == "" || l.seen != nil && !changed(s.file, l.seen) {
		return l.policy
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l = s.loaded.Load()
	if l == nil {
		return closed
	}
	if l.seen != nil && !changed(s.file, l.seen) {
		return l.policy
	}
	p, info, err := s.read()
	if err == nil {
		err = s.checkChains(p)
	}
	if err == nil {
		s.told = ""
		s.take(p, info)
		return s.loaded.Load().policy
	}
	if said := err.Error(); said != s.told {
		s.told = said
		log.Printf("layer filter: %v; the rules from before stay in force", err)
	}
	if info != nil && time.Since(info.ModTime()) >= settled {
		s.loaded.Store(&loaded{policy: l.policy, seen: info})
	}
	return l.policy
}

// closed is in force when the layer is not started: a call that is still under
// way then gets nowhere.
var closed = func() *policy {
	none := &rule{where: "stopped", action: deny, errno: spi.WSANOTINITIALISED}
	return &policy{out: none, in: none}
}()

// changed reports whether the file may say something else than when it looked
// like seen, or can be trusted no more.
func changed(path string, seen fs.FileInfo) bool {
	now, err := os.Stat(path)
	return err != nil || !os.SameFile(now, seen) || !now.ModTime().Equal(seen.ModTime()) || now.Size() != seen.Size() || now.Mode() != seen.Mode()
}
