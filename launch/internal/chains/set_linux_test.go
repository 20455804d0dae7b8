package chains

import (
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"upcall.dev/catalog"
	"upcall.dev/spi"
	_ "upcall.dev/standard"
	"upcall.dev/ws2"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var objectID = spi.MustParseGUID("6d1e0a5b-1c7f-4f0e-8a35-0b7f5d9c2e11")

const patience = 30 * time.Second

// installObject puts a layer whose path is a shared object's over everything.
func installObject(t *testing.T, c *catalog.Catalog) {
	t.Helper()
	var over []spi.ProtocolInfo
	for _, e := range c.Entries() {
		if e.IFS() && e.Base() {
			over = append(over, e.ProtocolInfo)
		}
	}
	var entry uint32
	if e := c.InstallProviderAndChains(objectID, "/usr/lib/layer.so", "layer", spi.XP1_IFS_HANDLES, over, &entry); e != 0 {
		t.Fatal(e)
	}
}

func installGo(t *testing.T, c *catalog.Catalog) {
	t.Helper()
	if _, err := c.InstallLayer(catalog.Layer{Name: "trace", Options: spi.Options{"file": "/dev/null"}}); err != nil {
		t.Fatal(err)
	}
}

// host is a set over a catalog's file, whose DLLs are counted.
type host struct {
	*Set
	file *catalog.File
	dlls atomic.Int32
	log  chan string
}

func open(t *testing.T, install func(*testing.T, *catalog.Catalog)) *host {
	t.Helper()
	h := &host{file: catalog.OpenFile(filepath.Join(t.TempDir(), "catalog.toml")), log: make(chan string, 100)}
	h.change(t, install)
	var err error
	h.Set, err = Open(Config{
		Source: h.file,
		NewDLL: func(c ws2.Config) *ws2.DLL {
			h.dlls.Add(1)
			// The layer behind the path is one in Go, which is enough for who
			// decides over DLLs.
			c.LoadLibrary = func(string) (spi.StartupFunc, error) {
				return spi.OpenDriver(objectID, "go:trace?file=/dev/null")
			}
			return ws2.New(c)
		},
		Log: func(line string) { h.log <- line },
	}, "/bin/first")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(patience); err != nil {
			t.Error(err)
		}
	})
	return h
}

func (h *host) change(t *testing.T, change func(*testing.T, *catalog.Catalog)) {
	t.Helper()
	err := h.file.Update(func(c *catalog.Catalog) error {
		change(t, c)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// says waits for a line of the log.
func (h *host) says(t *testing.T, text string) {
	t.Helper()
	select {
	case line := <-h.log:
		if !strings.Contains(line, text) {
			t.Errorf("the line is %q, without %q", line, text)
		}
	case <-time.After(patience):
		t.Fatalf("nobody said %q", text)
	}
}

// of returns the chains of a program, released.
func (h *host) of(t *testing.T, program string) *Chains {
	t.Helper()
	c, err := h.For(func() string { return program })
	if err != nil {
		t.Fatal(err)
	}
	c.Release()
	return c
}

func TestSharedObjectsKeepTheirChains(t *testing.T) {
	for name, test := range map[string]struct {
		first, then func(*testing.T, *catalog.Catalog)
	}{
		"from an object": {installObject, installGo},
		"to an object":   {installGo, installObject},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t, test.first)
			before := h.of(t, "/bin/first")
			h.change(t, test.then)
			h.says(t, "the catalog has changed, and is not used")
			if h.of(t, "/bin/first") != before || h.dlls.Load() != 1 {
				t.Errorf("there are other chains, and %d DLLs", h.dlls.Load())
			}
		})
	}
}

func TestOtherChainsFollowTheCatalog(t *testing.T) {
	h := open(t, func(*testing.T, *catalog.Catalog) {})
	before := h.of(t, "/bin/first")
	h.change(t, installGo)
	deadline := time.Now().Add(patience)
	for h.of(t, "/bin/first") == before {
		if time.Now().After(deadline) {
			t.Fatal("the chains are those of the catalog before")
		}
		time.Sleep(time.Millisecond)
	}
}

func TestSharedObjectsServeAllProgramsInCommon(t *testing.T) {
	apart := func(t *testing.T, c *catalog.Catalog) {
		t.Helper()
		var previous uint32
		if e := c.SetApplicationCategory("/bin/second", "", 1, &previous); e != 0 {
			t.Fatal(e)
		}
	}
	h := open(t, func(t *testing.T, c *catalog.Catalog) {
		installObject(t, c)
		apart(t, c)
	})
	h.says(t, "what holds for /bin/first holds for all")
	if h.of(t, "/bin/first") != h.of(t, "/bin/second") || h.dlls.Load() != 1 {
		t.Errorf("programs have chains of their own, by %d DLLs", h.dlls.Load())
	}
	if h := open(t, apart); h.of(t, "/bin/first") == h.of(t, "/bin/second") || h.dlls.Load() != 2 {
		t.Errorf("programs that the catalog tells apart share their chains, by %d DLLs", h.dlls.Load())
	}
}
