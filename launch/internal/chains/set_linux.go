// Package chains is what the doors of the launcher carry a program's sockets
// through: the chains that the catalog has for it, as the host uses them.
//
// [Open] starts with a first program; [Set.For] gives the chains of any other.
package chains

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"upcall.dev/catalog"
	"upcall.dev/ws2"
	"upcall.dev/wsnet"
)

// Config says where chains come from.
type Config struct {
	// Source is the catalog; nil means the installed one. A catalog.Watched is
	// watched: sockets that are made after a change go by the new catalog.
	Source catalog.Source
	// NewDLL makes the DLL that the providers are loaded into; nil means
	// ws2.New.
	NewDLL func(ws2.Config) *ws2.DLL
	// Log receives a line for each event worth telling a person.
	Log func(string)
	// Without, unless nil, is told once for each chain why it does not start.
	// Its programs' sockets then go by the kernel's provider alone, until the
	// source has changed. With nil they fail.
	Without func(why error)
}

// Set is the chains of all programs under one host. Programs share a DLL, and
// with it their providers, unless the catalog tells programs apart. Providers
// that are shared objects serve one DLL of a process: where the catalog names
// one, all programs have the chains of the first, until the end.
type Set struct {
	config  Config
	first   string // the program that the host was started for
	stop    context.CancelFunc
	watcher sync.WaitGroup

	// mu guards what follows. Nothing is called under it but a Chains' own
	// counting.
	mu        sync.Mutex
	installed *catalog.Catalog
	apart     bool // the catalog tells programs apart
	chains    map[string]*start
	without   map[string]bool // what Without has been told of this catalog
	closed    bool
	retired   sync.WaitGroup // chains that end with their last socket
}

// start is one start of chains, which those who ask for the same wait for.
type start struct {
	done   chan struct{} // closed when the other two are set
	chains *Chains
	err    error
}

// Open reads the catalog and starts the chains of a program, so that what is
// wrong with them shows before it runs.
func Open(c Config, program string) (*Set, error) {
	if c.Source == nil {
		c.Source = catalog.OpenFile(catalog.DefaultPath())
	}
	if c.NewDLL == nil {
		c.NewDLL = ws2.New
	}
	installed, err := c.Source.Load()
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &Set{config: c, first: program, stop: stop}
	if installed.SharedObjects() && installed.TellsProgramsApart() {
		s.config.Log(fmt.Sprintf("the catalog tells programs apart, but has a provider that is a shared object, which serves them in common: what holds for %s holds for all that it starts", program))
	}
	s.use(installed)
	first, err := s.For(func() string { return program })
	if err != nil {
		stop()
		return nil, err
	}
	first.Release()
	if source, ok := c.Source.(catalog.Watched); ok {
		s.watcher.Go(func() { s.watch(ctx, source) })
	}
	return s, nil
}

// use makes installed the catalog of the chains to come.
func (s *Set) use(installed *catalog.Catalog) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.installed = installed
	s.apart = installed.TellsProgramsApart() && !installed.SharedObjects()
	for _, st := range s.chains {
		s.retired.Go(func() {
			<-st.done
			if st.chains != nil {
				st.chains.Release()
				<-st.chains.ended
				if err := st.chains.end(closePatience); err != nil {
					s.config.Log(err.Error())
				}
			}
		})
	}
	s.chains, s.without = map[string]*start{}, map[string]bool{}
}

// watch follows the source. What is wrong with it is told, and the catalog before
// stays in use.
func (s *Set) watch(ctx context.Context, source catalog.Watched) {
	err := source.Watch(ctx, func(installed *catalog.Catalog, err error) {
		if err != nil {
			s.config.Log(fmt.Sprintf("the catalog has changed, and is not used: %v", err))
			return
		}
		if s.same(installed) { // the one that Open read
			return
		}
		if s.fixed(installed) {
			s.config.Log("the catalog has changed, and is not used: the one before or this one has a provider that is a shared object, which cannot be exchanged while a program runs; what is started from now on has the new one")
			return
		}
		s.use(installed)
	})
	if ctx.Err() == nil && err != nil {
		s.config.Log(fmt.Sprintf("changes of the catalog will not be noticed: %v", err))
	}
}

// same reports whether the chains are by that catalog already.
func (s *Set) same(next *catalog.Catalog) bool {
	s.mu.Lock()
	installed := s.installed
	s.mu.Unlock()
	a, err := installed.Encode()
	b, nextErr := next.Encode()
	return err == nil && nextErr == nil && bytes.Equal(a, b)
}

// fixed reports whether the chains stay what they are when the catalog becomes
// next: shared objects have one DLL, so that there can be no other beside it.
func (s *Set) fixed(next *catalog.Catalog) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.installed.SharedObjects() || next.SharedObjects()
}

// TellsProgramsApart reports whether the chains depend on the program.
func (s *Set) TellsProgramsApart() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.apart
}

// First is the program that the host was started for.
func (s *Set) First() string { return s.first }

// For returns the chains of a program, which it starts if need be. path is only
// called where the catalog tells programs apart. The caller releases the chains
// when its socket has ended.
func (s *Set) For(path func() string) (*Chains, error) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, errors.New("the host is leaving")
	}
	program := s.first
	if s.apart {
		program = path()
	}
	st := s.chains[program]
	if st != nil {
		s.mu.Unlock()
		<-st.done
		if st.err != nil {
			return nil, st.err
		}
		if st.chains.hold() {
			return st.chains, nil
		}
		return s.For(path) // retired meanwhile: there is a new catalog
	}
	st = &start{done: make(chan struct{})}
	s.chains[program] = st
	installed := s.installed
	s.mu.Unlock()

	st.chains, st.err = s.start(installed, program)
	if st.err != nil {
		s.mu.Lock()
		if s.chains[program] == st {
			delete(s.chains, program) // the next one tries again
		}
		s.mu.Unlock()
	} else {
		st.chains.hold()
	}
	close(st.done)
	return st.chains, st.err
}

func (s *Set) start(installed *catalog.Catalog, program string) (*Chains, error) {
	c, err := s.startOver(installed, program)
	if err == nil || s.config.Without == nil {
		return c, err
	}
	kernel, kernelErr := catalog.Compose(catalog.Default(), kernelDriver, nil)
	if kernelErr == nil {
		c, kernelErr = s.startOver(kernel, program)
	}
	if kernelErr != nil {
		return nil, err
	}
	c.without = true
	s.mu.Lock()
	told := s.without[err.Error()]
	s.without[err.Error()] = true
	s.mu.Unlock()
	if !told {
		s.config.Without(err)
	}
	return c, nil
}

func (s *Set) startOver(installed *catalog.Catalog, program string) (*Chains, error) {
	stack, err := wsnet.New(s.config.NewDLL(ws2.Config{Catalog: installed, Application: program, Log: s.config.Log}))
	if err != nil {
		return nil, err
	}
	return newChains(stack, installed, program, s.config.Log)
}

// Close ends all chains. One whose providers do not let go within patience is
// left behind, and the error says so.
func (s *Set) Close(patience time.Duration) error {
	s.stop()
	s.watcher.Wait()
	s.mu.Lock()
	s.closed = true
	var errs []error
	ending := s.chains
	s.chains = nil
	s.mu.Unlock()
	for _, st := range ending {
		<-st.done
		if st.chains != nil {
			errs = append(errs, st.chains.end(patience))
		}
	}
	closed := make(chan struct{})
	go func() {
		s.retired.Wait()
		close(closed)
	}()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-closed:
	case <-timer.C:
		errs = append(errs, errUnended(patience))
	}
	return errors.Join(errs...)
}
