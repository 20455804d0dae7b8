package profile

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"upcall.dev/catalog"
	"upcall.dev/spi"
)

type sighting struct {
	c   *catalog.Catalog
	err error
}

// followed is a source over two files that a test changes.
type followed struct {
	*Source
	t    *testing.T
	seen chan sighting
}

func follow(t *testing.T, profiles string) *followed {
	t.Helper()
	dir := t.TempDir()
	f := &followed{t: t, seen: make(chan sighting, 100), Source: &Source{
		Installed: catalog.OpenFile(filepath.Join(dir, "catalog.toml")), Profiles: filepath.Join(dir, FileName),
		Choose: func(f *File) (*Profile, error) { return f.Lookup("work") },
	}}
	f.write(profiles)
	if _, err := f.Load(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f.Watch(ctx, func(c *catalog.Catalog, err error) { f.seen <- sighting{c, err} }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Watch ended with %v", err)
		}
	})
	return f
}

// write replaces the profiles' file at once, as editors do.
func (f *followed) write(text string) {
	f.t.Helper()
	if err := os.WriteFile(f.Profiles+".new", []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
	if err := os.Rename(f.Profiles+".new", f.Profiles); err != nil {
		f.t.Fatal(err)
	}
}

func (f *followed) next() sighting {
	f.t.Helper()
	select {
	case s := <-f.seen:
		return s
	case <-time.After(30 * time.Second):
		f.t.Fatal("nothing was seen")
	}
	return sighting{}
}

// layersOf are the options of trace in a catalog, outermost first.
func layersOf(t *testing.T, s sighting) string {
	t.Helper()
	if s.err != nil {
		t.Fatal(s.err)
	}
	for _, e := range s.c.Entries() {
		if e.Chain() {
			top, _ := s.c.Lookup(e.ProtocolChain.Entries()[0])
			_, options, _, err := spi.ParseGoPath(top.Path)
			if err != nil {
				t.Fatal(err)
			}
			return options["calls"]
		}
	}
	return "none"
}

const workProfile = "[profile.work]\nthrough = [\"trace:file=/dev/null,calls=CALL\"]\n"

func withCalls(call string) string { return strings.Replace(workProfile, "CALL", call, 1) }

func TestSourceFollowsBothFiles(t *testing.T) {
	f := follow(t, withCalls("connect"))
	f.write(withCalls("bind"))
	if got := layersOf(t, f.next()); got != "bind" {
		t.Errorf("the layer is %s", got)
	}
	err := f.Installed.Update(func(c *catalog.Catalog) error {
		_, err := c.InstallLayer(catalog.Layer{Name: "trace"})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := layersOf(t, f.next()); got != "bind" {
		t.Errorf("the layer is %s", got)
	}
	f.write("[profile.work]\nthrough = [\"nobody\"]\n")
	if s := f.next(); s.err == nil || !strings.Contains(s.err.Error(), "line 2: no layer is called") {
		t.Errorf("%v", s.err)
	}
	f.write("[profile.play]\n")
	if s := f.next(); s.err == nil || !strings.Contains(s.err.Error(), `there is no profile "work"`) {
		t.Errorf("%v", s.err)
	}
	f.write(withCalls("listen"))
	if got := layersOf(t, f.next()); got != "listen" {
		t.Errorf("the layer is %s", got)
	}
}

// What makes no other chains is no change.
func TestSourceTellsOfChangesAlone(t *testing.T) {
	f := follow(t, withCalls("connect"))
	f.write("# a comment\n" + withCalls("connect") + "verbose = true\n\n[profile.other]\nover = \"kernel\"\n")
	f.write(withCalls("connect"))
	f.write(withCalls("bind"))
	if got := layersOf(t, f.next()); got != "bind" {
		t.Errorf("the layer is %s", got)
	}
	if len(f.seen) > 0 {
		t.Errorf("there is more: %+v", <-f.seen)
	}
}

// What has changed between Load and Watch is told.
func TestSourceMissesNothingBeforeWatch(t *testing.T) {
	dir := t.TempDir()
	s := &Source{Installed: catalog.OpenFile(filepath.Join(dir, "catalog.toml")), Choose: func(*File) (*Profile, error) { return &Profile{}, nil }}
	if _, err := s.Load(); err != nil {
		t.Fatal(err)
	}
	if err := s.Installed.Update(func(c *catalog.Catalog) error {
		_, err := c.InstallLayer(catalog.Layer{Name: "trace", Options: spi.Options{"calls": "bind"}})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var got sighting
	if err := s.Watch(ctx, func(c *catalog.Catalog, err error) { got = sighting{c, err}; cancel() }); !errors.Is(err, context.Canceled) {
		t.Errorf("Watch ended with %v", err)
	}
	if layer := layersOf(t, got); layer != "bind" {
		t.Errorf("the layer is %s", layer)
	}
}
