package profile

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"upcall.dev/catalog"
	"upcall.dev/internal/watch"
)

// Source is the catalog of one run: what a profile makes of the installed one.
// It follows both files, so that a change of either counts for the sockets to
// come.
type Source struct {
	// Installed is the catalog's file.
	Installed *catalog.File
	// Profiles is the path of the profiles' file, empty where none decides.
	Profiles string
	// Choose returns how the program is run. It gets the profiles as they are, no
	// file with an empty path.
	Choose func(*File) (*Profile, error)

	mu   sync.Mutex // guards seen
	seen string     // what Load or Watch has returned last came of this
}

// Load reads both files and composes the catalog.
func (s *Source) Load() (*catalog.Catalog, error) {
	c, from, err := s.read()
	s.mu.Lock()
	s.seen = from
	s.mu.Unlock()
	return c, err
}

// Watch calls changed with the catalog, or with what is wrong, when that comes of
// something else than what Load has returned last, as [catalog.Watched] says. It has
// goroutines of its own while it runs.
func (s *Source) Watch(ctx context.Context, changed func(*catalog.Catalog, error)) error {
	var one sync.Mutex // one call of changed at a time
	look := func() {
		one.Lock()
		defer one.Unlock()
		c, from, err := s.read()
		s.mu.Lock()
		same := from == s.seen
		s.seen = from
		s.mu.Unlock()
		if !same {
			changed(c, err)
		}
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	paths := []string{s.Installed.Path(), s.Profiles}
	ended := make(chan error, len(paths))
	for _, path := range paths {
		go func() {
			var err error
			if path == "" {
				<-ctx.Done()
				err = ctx.Err()
			} else if err = watch.Follow(ctx, path, look); ctx.Err() == nil {
				err = fmt.Errorf("%s: %w", path, err)
			}
			stop()
			ended <- err
		}()
	}
	first := <-ended
	return errors.Join(first, unlessStopped(<-ended))
}

// unlessStopped is an error but for that of a watch which was told to end.
func unlessStopped(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}

// read composes the catalog. from is the same when it comes of the same.
func (s *Source) read() (c *catalog.Catalog, from string, err error) {
	installed, err := s.Installed.Load()
	if err != nil {
		return nil, "catalog: " + err.Error(), err
	}
	text, err := installed.Encode()
	if err != nil {
		return nil, "catalog: " + err.Error(), err
	}
	profiles, err := Load(s.Profiles)
	if err != nil {
		return nil, "profiles: " + err.Error(), err
	}
	p, err := s.Choose(profiles)
	if err != nil {
		return nil, "choice: " + err.Error(), err
	}
	from = fmt.Sprintf("%s\n%#v\n%#v\n%#v\n%#v\n", text, p.Through, p.Over, p.Chains, p.Applications)
	if c, err = p.Catalog(installed); err != nil {
		from += err.Error()
	}
	return c, from, err
}
