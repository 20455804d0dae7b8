package trace

import (
	"bytes"
	"errors"
	"log"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"upcall.dev/catalog"
	"upcall.dev/layer/internal/layertest"
	"upcall.dev/spi"
)

func mustOpen(t *testing.T, path string) *sink {
	t.Helper()
	s, err := openSink(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// logged catches what goes to the standard logger.
func logged(t *testing.T) *bytes.Buffer {
	var text bytes.Buffer
	log.SetOutput(&text)
	t.Cleanup(func() { log.SetOutput(os.Stderr) })
	return &text
}

// blocking is a provider whose receive lasts until it is let go.
type blocking struct {
	spi.Provider
	inside, letGo chan struct{}
}

func (b *blocking) WSPRecv(spi.Socket, []spi.Buf, *uint32, *uint32, *spi.Overlapped, spi.CompletionRoutine, *spi.ThreadID) spi.Errno {
	close(b.inside)
	<-b.letGo
	return spi.WSAEINTR
}

func TestCallThatOutlivesTheLastCleanupHasItsLine(t *testing.T) {
	noise := logged(t)
	path := filepath.Join(t.TempDir(), "trace")
	next := &blocking{answering(0), make(chan struct{}), make(chan struct{})}
	c, err := parse(spi.Options{"file": path})
	if err != nil {
		t.Fatal(err)
	}
	p := newTracer(next, c, mustOpen(t, path), time.Now)
	var call sync.WaitGroup
	call.Go(func() { p.WSPRecv(7, nil, nil, nil, nil, nil, nil) })
	<-next.inside
	p.WSPCleanup()
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	close(next.letGo)
	call.Wait()
	p.WSPBind(7, server) // too late for a line
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if text := string(b); !strings.Contains(text, "WSPRecv(7, 0 bytes) = WSAEINTR") || strings.Count(text, "\n") != 2 {
		t.Errorf("%q", text)
	}
	if _, err := p.out.file.Write(nil); !errors.Is(err, os.ErrClosed) {
		t.Errorf("the file is still open: %v", err)
	}
	if noise.Len() > 0 {
		t.Errorf("logged %q", noise)
	}
}

func TestLoadingMakesNoFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace")
	if _, err := spi.OpenDriver(spi.NewGUID(), spi.GoPath("trace", spi.Options{"file": path})); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("loading the layer made its file: %v", err)
	}
}

func TestDirectoryIsRefusedWhenLoaded(t *testing.T) {
	directory := t.TempDir()
	_, err := spi.OpenDriver(spi.NewGUID(), spi.GoPath("trace", spi.Options{"file": directory}))
	if err == nil || !strings.Contains(err.Error(), directory) {
		t.Errorf("%v, want an error that names %s", err, directory)
	}
}

// TestFileThatCannotBeMadeFailsTheStart names a link to nowhere, which only
// making the file finds out.
func TestFileThatCannotBeMadeFailsTheStart(t *testing.T) {
	noise := logged(t)
	path := filepath.Join(t.TempDir(), "trace")
	if err := os.Symlink(filepath.Join(t.TempDir(), "gone", "file"), path); err != nil {
		t.Fatal(err)
	}
	_, thread := layertest.Start(t, "memory", catalog.Layer{Name: "trace", Options: spi.Options{"file": path}})
	if _, err := thread.Socket(spi.AF_INET, spi.SOCK_STREAM, spi.IPPROTO_TCP); !errors.Is(err, spi.WSAEPROVIDERFAILEDINIT) {
		t.Errorf("%v, want WSAEPROVIDERFAILEDINIT", err)
	}
	text := noise.String()
	if !strings.Contains(text, "layer trace cannot start over") || !strings.Contains(text, path) || strings.Count(text, "\n") != 1 {
		t.Errorf("logged %q, want one line that names %s", text, path)
	}
}
