package catalog

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"upcall.dev/spi"
)

// writerEnv makes this test binary run one of the writers on a file:
// "name:path".
const writerEnv = "UPCALL_CATALOG_TEST_WRITER"

const installsPerWriter = 15

var writers = map[string]func(*File) error{
	// rewrite goes from one state to the next until it is killed.
	"rewrite": func(f *File) error {
		for {
			if err := f.Update(func(c *Catalog) error { return nextState(c, c.Serial()+1) }); err != nil {
				return err
			}
		}
	},
	// install adds providers of its own.
	"install": func(f *File) error {
		for range installsPerWriter {
			code := f.InstallProvider(spi.NewGUID(), "/lib/x.so", []spi.ProtocolInfo{baseInfo("x", 50, 1, 1, 0)})
			if code != 0 {
				return code
			}
		}
		return nil
	},
}

// nextState makes the catalog that has the given serial: each state has its
// own path and number of entries, so that a mixture of two shows.
func nextState(c *Catalog, serial uint64) error {
	if len(c.ByProvider(guid(1))) != 0 {
		if code := c.DeinstallProvider(guid(1)); code != 0 {
			return code
		}
	}
	infos := make([]spi.ProtocolInfo, 1+serial%40)
	for i := range infos {
		infos[i] = baseInfo(fmt.Sprint("state ", serial), 50, 1, 1, 0)
	}
	return c.InstallProvider(guid(1), fmt.Sprint("/state/", serial), infos).Err()
}

// checkState fails unless c is exactly a state that nextState makes.
func checkState(t *testing.T, c *Catalog) {
	t.Helper()
	serial := c.Serial()
	if serial == 0 {
		return // no writer has finished yet: this is Default
	}
	entries := c.ByProvider(guid(1))
	if len(entries) != int(1+serial%40) {
		t.Fatalf("serial %d has %d entries: neither the old nor the new catalog", serial, len(entries))
	}
	for _, e := range entries {
		if e.Path != fmt.Sprint("/state/", serial) || e.Name() != fmt.Sprint("state ", serial) {
			t.Fatalf("serial %d has entry %q from %q: a mixture", serial, e.Name(), e.Path)
		}
	}
}

func startWriter(t *testing.T, name, path string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), writerEnv+"="+name+":"+path)
	cmd.Stderr = &strings.Builder{}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

func TestKilledWritersLeaveTheOldOrTheNewCatalog(t *testing.T) {
	kills := 40
	if testing.Short() {
		kills = 10
	}
	path := filepath.Join(t.TempDir(), "catalog.toml")
	f := OpenFile(path)
	load := func() *Catalog {
		c, err := f.Load()
		if err != nil {
			t.Fatal(err)
		}
		checkState(t, c)
		return c
	}
	leftovers := 0
	for range kills {
		before := load().Serial()
		cmd := startWriter(t, "rewrite", path)
		exited := make(chan error, 1)
		go func() { exited <- cmd.Wait() }()
		// Let it write a few states, looking on, and stop it anywhere.
		for deadline := time.Now().Add(30 * time.Second); load().Serial() < before+2; time.Sleep(time.Millisecond) {
			select {
			case err := <-exited:
				t.Fatalf("the writer ended by itself: %v: %s", err, cmd.Stderr)
			default:
			}
			if time.Now().After(deadline) {
				_ = cmd.Process.Kill()
				<-exited
				t.Fatal("the writer writes nothing")
			}
		}
		time.Sleep(rand.N(8 * time.Millisecond))
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		<-exited
		if after := load().Serial(); after < before+2 {
			t.Fatalf("serial %d after %d: a change was lost", after, before+2)
		}
		leftovers = max(leftovers, len(temporaries(t, path)))
	}
	if leftovers > 1 {
		t.Errorf("%d temporary files gathered: each writer should clear the last one's", leftovers)
	}
	if err := f.Update(func(c *Catalog) error { return nextState(c, c.Serial()+1) }); err != nil {
		t.Fatal(err)
	}
	if left := temporaries(t, path); len(left) != 0 {
		t.Errorf("temporary files left: %v", left)
	}
	load()
}

func temporaries(t *testing.T, path string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".catalog.toml.*"+temporarySuffix))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestConcurrentWritersLoseNothing(t *testing.T) {
	const processes = 4
	path := filepath.Join(t.TempDir(), "catalog.toml")
	var running []*exec.Cmd
	for range processes {
		running = append(running, startWriter(t, "install", path))
	}
	goroutines := make(chan error)
	for range 2 { // and within one process
		go func() { goroutines <- writers["install"](OpenFile(path)) }()
	}
	for range 2 {
		if err := <-goroutines; err != nil {
			t.Error(err)
		}
	}
	for _, cmd := range running {
		if err := cmd.Wait(); err != nil {
			t.Errorf("%v: %s", err, cmd.Stderr)
		}
	}
	c, err := OpenFile(path).Load()
	if err != nil {
		t.Fatal(err)
	}
	const want = (processes + 2) * installsPerWriter
	if c.Serial() != want || c.Len() != Default().Len()+want {
		t.Errorf("serial %d and %d entries, want %d and %d", c.Serial(), c.Len(), want, Default().Len()+want)
	}
	seen := map[uint32]bool{}
	for _, e := range c.Entries() {
		if seen[e.CatalogEntryID] {
			t.Errorf("id %d was handed out twice", e.CatalogEntryID)
		}
		seen[e.CatalogEntryID] = true
	}
}

// A truncated catalog must never pass for a whole one: neither here nor after
// any of its lines.
func TestTornFilesAreRefused(t *testing.T) {
	whole, err := layered(t).Encode()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "catalog.toml")
	f := OpenFile(path)
	cut := 0
	lines := bufio.NewScanner(strings.NewReader(string(whole)))
	for lines.Scan() {
		if lines.Text() == "[end]" {
			break
		}
		for _, at := range []int{cut, cut + len(lines.Text())/2} {
			if err := os.WriteFile(path, whole[:at], 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := f.Load()
			wantRefusal(t, fmt.Sprintf("cut at byte %d", at), err)
		}
		cut += len(lines.Text()) + 1
	}
	if cut == 0 {
		t.Fatal("nothing was cut")
	}
}
