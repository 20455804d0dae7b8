package filter

import (
	"bytes"
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
	relay *owner // of the datagram sockets, nil when their handles are passed through too

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
	text []byte      // of the file
	seen fs.FileInfo // nil: look at the file again
}

// settled is the age from which a file's time tells of the next change: a clock
// that counts in ticks gives two changes of one tick the same time.
const settled = time.Second

// check reads the rules without keeping them.
func (s *shared) check() error {
	_, err := s.read()
	return err
}

// reading is the rules as they were read.
type reading struct {
	policy *policy
	text   []byte
	info   fs.FileInfo // of the file, nil without one
}

// read returns what the options and the file say. A reading that fails has what
// is known of the file.
func (s *shared) read() (reading, error) {
	if s.file == "" {
		return reading{policy: s.policy(nil)}, nil
	}
	r, err := s.readFile()
	if err == nil {
		err = s.parse(&r)
	}
	return r, err
}

func (s *shared) readFile() (r reading, err error) {
	r.text, r.info, err = trusted.Read(s.file, largestFile)
	if errors.Is(err, fs.ErrNotExist) {
		err = errors.New("there is no such file: write it, or leave the option out")
	}
	if err != nil {
		err = fmt.Errorf("rules=%q: %w", s.file, err)
	}
	return r, err
}

func (s *shared) parse(r *reading) error {
	f, err := parseFile(s.file, r.text, s.deniedBy())
	if err != nil {
		return fmt.Errorf("rules=%q: %w", s.file, err)
	}
	r.policy = s.policy(f)
	return nil
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
	r, err := s.read()
	if err == nil && s.users == 0 {
		s.sends = r.policy.sends()
	}
	if err == nil {
		err = s.checkChains(r.policy)
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
	s.take(&loaded{policy: r.policy.of(h.DLL.Application()), text: r.text}, r.info)
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

// take puts a policy in force; the caller holds s.mu.
func (s *shared) take(l *loaded, info fs.FileInfo) {
	l.seen = info
	if info != nil && time.Since(info.ModTime()) < settled {
		l.seen = nil
	}
	s.loaded.Store(l)
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
	r, err := s.readFile()
	if err == nil && s.told == "" && bytes.Equal(r.text, l.text) {
		s.take(&loaded{policy: l.policy, text: l.text}, r.info)
		return l.policy
	}
	if err == nil {
		err = s.parse(&r)
	}
	if err == nil {
		err = s.checkChains(r.policy)
	}
	if err == nil {
		s.told = ""
		l = &loaded{policy: r.policy.of(s.host.DLL.Application()), text: r.text}
		s.take(l, r.info)
		return l.policy
	}
	if said := err.Error(); said != s.told {
		s.told = said
		log.Printf("layer filter: %v; the rules from before stay in force", err)
	}
	if r.info != nil {
		s.take(&loaded{policy: l.policy, text: l.text}, r.info)
	}
	return l.policy
}

// closed is in force when the layer is not started: a call that is still under
// way then gets nowhere.
var closed = func() *policy {
	none := &rule{where: "stopped", action: deny, errno: spi.WSANOTINITIALISED}
	return &policy{out: none, in: none, judged: anything}
}()

// changed reports whether the file may say something else than when it looked
// like seen, or can be trusted no more.
func changed(path string, seen fs.FileInfo) bool {
	now, err := os.Stat(path)
	return err != nil || !os.SameFile(now, seen) || !now.ModTime().Equal(seen.ModTime()) || now.Size() != seen.Size() || now.Mode() != seen.Mode()
}
