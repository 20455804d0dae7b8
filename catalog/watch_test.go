package catalog

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// sighting is one call of Watch's callback.
type sighting struct {
	c   *Catalog
	err error
}

// watching runs Watch until the test ends, which waits for it.
func watching(t *testing.T, f *File) (next func(what string, want func(sighting) bool)) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	sightings, ended := make(chan sighting, 1000), make(chan error, 1)
	go func() {
		ended <- f.Watch(ctx, func(c *Catalog, err error) { sightings <- sighting{c, err} })
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Watch ended with %v", err)
		}
	})
	return func(what string, want func(sighting) bool) {
		t.Helper()
		var last sighting
		for timeout := time.After(30 * time.Second); ; {
			select {
			case last = <-sightings:
				if want(last) {
					return
				}
			case <-timeout:
				t.Fatalf("%s was not noticed; last seen %v", what, last)
			}
		}
	}
}

func serial(n uint64) func(sighting) bool {
	return func(s sighting) bool { return s.err == nil && s.c.Serial() == n }
}

func refusal(s sighting) bool {
	var refused *FileError
	return errors.As(s.err, &refused) && refused.Refused && s.c == nil
}

func TestWatchSeesEveryKindOfChange(t *testing.T) {
	f := newFile(t)
	dir := filepath.Dir(f.Path())
	next := watching(t, f)
	next("the start", serial(0))
	install(t, f, 1) // makes the directory too
	next("the first file", serial(1))
	install(t, f, 2)
	next("a replaced file", serial(2))
	good, err := os.ReadFile(f.Path())
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		what string
		do   func() error
		want func(sighting) bool
	}{
		{"an editor's bad write", func() error { return os.WriteFile(f.Path(), []byte("?"), 0o600) }, refusal},
		{"an editor's good write", func() error { return os.WriteFile(f.Path(), good, 0o600) }, serial(2)},
		{"a mode that lets others write", func() error { return os.Chmod(f.Path(), 0o666) }, refusal},
		{"the mode put right", func() error { return os.Chmod(f.Path(), 0o600) }, serial(2)},
		{"the directory moved away with the file", func() error { return os.Rename(dir, dir+".moved") }, serial(0)},
		{"the directory moved back", func() error { return os.Rename(dir+".moved", dir) }, serial(2)},
		{"a file removed", func() error { return os.Remove(f.Path()) }, serial(0)},
		{"the directory moved away", func() error { return os.Rename(dir, dir+".away") }, nil},
		{"a file put into that one", func() error { return os.WriteFile(filepath.Join(dir+".away", "catalog.toml"), []byte("?"), 0o600) }, nil},
		{"a new directory", func() error { return os.Mkdir(dir, 0o700) }, nil},
		{"a file in it", func() error { return os.WriteFile(f.Path(), good, 0o600) }, serial(2)},
		{"the directory removed", func() error { return os.RemoveAll(dir) }, serial(0)},
	} {
		if err := step.do(); err != nil {
			t.Fatal(step.what, ": ", err)
		}
		if step.want != nil {
			next(step.what, step.want)
		}
	}
	install(t, f, 3)
	next("a file after all that", serial(1))
	if _, err := f.Reset(); err != nil {
		t.Fatal(err)
	}
	next("a reset", serial(2))
}

func TestWatchFollowsLinks(t *testing.T) {
	dir := t.TempDir()
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "a"), 0o700), os.Mkdir(filepath.Join(dir, "b"), 0o700)); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "a", "catalog.toml")
	target, other := filepath.Join(dir, "b", "one.toml"), filepath.Join(dir, "b", "two.toml")
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	next := watching(t, OpenFile(link))
	next("the start", serial(0))
	install(t, OpenFile(target), 1)
	next("a change of the link's target", serial(1))
	for n := range 3 {
		install(t, OpenFile(other), n)
	}
	if err := errors.Join(os.Symlink(other, link+".new"), os.Rename(link+".new", link)); err != nil {
		t.Fatal(err)
	}
	next("another target", serial(3))
}

func TestWatchOfNoFileEnds(t *testing.T) {
	next := watching(t, OpenFile(""))
	next("the start", serial(0))
}
