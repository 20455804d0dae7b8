package provider_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"upcall.dev/capi/ctest"
	"upcall.dev/catalog"
	"upcall.dev/spi"
)

// Every provider and layer in Go, over and under each layer in C, carries every
// way of sending and receiving.
func TestLayersInCOverEveryProvider(t *testing.T) {
	program := ctest.Compile(t, nil, "testdata/transfers.c")
	proxy, tunnels := connectProxy(t)
	for _, below := range []struct {
		base string
		catalog.Layer
	}{
		{base: "kernel"},
		{base: "memory"},
		{"kernel", catalog.Layer{Name: "trace", Options: spi.Options{"file": "/dev/null"}}},
		{"kernel", catalog.Layer{Name: "trace", Options: spi.Options{"file": "/dev/null", "data": "on"}}},
		{"kernel", catalog.Layer{Name: "shape", Options: spi.Options{"delay": "1ms", "rate": "20MB"}}},
		{"memory", catalog.Layer{Name: "shape", Options: spi.Options{"delay": "1ms", "rate": "20MB"}}},
		{"kernel", catalog.Layer{Name: "filter", Options: spi.Options{"deny": "10.0.0.0/8"}}},
		{"kernel", catalog.Layer{Name: "filter", Options: spi.Options{"deny": "10.0.0.0/8", "handles": "own"}}},
		{"kernel", catalog.Layer{Name: "socks", Options: spi.Options{"proxy": proxy, "type": "http"}}},
	} {
		name := below.base + "+" + named(below.Layer)
		var through []catalog.Layer
		if below.Name != "" {
			through = append(through, below.Layer)
		}
		for _, layer := range []ctest.Layer{ctest.CIFS, ctest.CNonIFS} {
			t.Run(name+"+c-"+layer.Name, func(t *testing.T) {
				c, err := catalog.Compose(catalog.Default(), below.base, through)
				if err != nil {
					t.Fatal(err)
				}
				if layer.Flags&spi.XP1_IFS_HANDLES != 0 && !c.Entries()[0].IFS() {
					t.Skip("the sockets below are no descriptors")
				}
				before := tunnels.Load()
				layer.Install(t, c)
				transfer(t, program, c)
				if below.Name == "socks" && tunnels.Load() == before {
					t.Error("nothing went through the proxy")
				}
			})
		}
	}
}

func TestLayersInGoOverLayersInC(t *testing.T) {
	program := ctest.Compile(t, nil, "testdata/transfers.c")
	for _, above := range []catalog.Layer{
		{Name: "trace", Options: spi.Options{"file": "/dev/null"}},
		{Name: "trace", Options: spi.Options{"file": "/dev/null", "data": "on"}},
		{Name: "shape", Options: spi.Options{"delay": "1ms", "rate": "20MB"}},
		{Name: "filter", Options: spi.Options{"deny": "10.0.0.0/8"}},
	} {
		for _, layer := range []ctest.Layer{ctest.CIFS, ctest.CNonIFS} {
			t.Run("c-"+layer.Name+"+"+named(above), func(t *testing.T) {
				c := kernel(t)
				layer.Install(t, c)
				if _, err := c.InstallLayer(above); err != nil {
					t.Fatal(err)
				}
				transfer(t, program, c)
			})
		}
	}
}

// named is a layer with those of its options that are switches.
func named(l catalog.Layer) string {
	for _, option := range []string{"data", "handles"} {
		if value := l.Options[option]; value != "" {
			return l.Name + "-" + option + "-" + value
		}
	}
	return l.Name
}

// transfer runs testdata/transfers.c and returns what the layers in C say.
func transfer(t *testing.T, program string, c *catalog.Catalog) string {
	t.Helper()
	log := filepath.Join(t.TempDir(), "log")
	r := ctest.RunEnv(t, program, nil, ctest.Write(t, c), patience, "LAYER_LOG="+log)
	r.OK(t)
	if r.Stdout != "done\n" || r.Stderr != "" {
		t.Errorf("the program says %q, %q", r.Stdout, r.Stderr)
	}
	text, err := os.ReadFile(log)
	if err != nil {
		t.Errorf("no layer in C was there: %v", err)
	}
	return string(text)
}

// connectProxy is a proxy that speaks CONNECT.
func connectProxy(t *testing.T) (address string, tunnels *atomic.Int32) {
	t.Helper()
	tunnels = new(atomic.Int32)
	var open sync.WaitGroup
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			http.Error(w, "only CONNECT", http.StatusMethodNotAllowed)
			return
		}
		target, err := net.Dial("tcp", r.Host)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		tunnels.Add(1)
		client, buffered, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(client, "HTTP/1.1 200 Connected\r\n\r\n")
		pass := func(to net.Conn, from io.Reader) {
			_, _ = io.Copy(to, from)
			_ = to.(*net.TCPConn).CloseWrite()
		}
		open.Go(func() { pass(client, target) })
		open.Go(func() { pass(target, buffered) })
	}))
	t.Cleanup(func() {
		server.Close()
		open.Wait()
	})
	return server.Listener.Addr().String(), tunnels
}

// copyOf is a layer of examples/c with another id, as a shared object of its own.
func copyOf(t *testing.T, layer ctest.Layer) (object string, id spi.GUID) {
	t.Helper()
	id = spi.MustParseGUID("0a0b0c0d-1122-3344-0102-030405060708")
	flags := []string{"-I../../examples/c/next", "-DLAYER_ID={0x0a0b0c0d, 0x1122, 0x3344, {1, 2, 3, 4, 5, 6, 7, 8}}"}
	return ctest.CompileObject(t, flags, sources(t, layer)...), id
}

func sources(t *testing.T, layer ctest.Layer) []string {
	t.Helper()
	files, err := filepath.Glob("../../examples/c/" + layer.Name + "/*.c")
	if err != nil || len(files) == 0 {
		t.Fatalf("the sources of %s: %v", layer.Name, err)
	}
	return append(files, "../../examples/c/next/next.c")
}

func TestLayersInCOverLayersInC(t *testing.T) {
	program := ctest.Compile(t, nil, "testdata/transfers.c")
	for _, base := range []string{"kernel", "memory"} {
		t.Run(base, func(t *testing.T) {
			if base == "kernel" {
				t.Run("nonifs over ifs", func(t *testing.T) {
					c := ctest.Named(t, base).Compose(t).Clone()
					ctest.CIFS.Install(t, c)
					ctest.CNonIFS.Install(t, c)
					text := transfer(t, program, c)
					if !strings.Contains(text, "ifs: sockets ") || !strings.Contains(text, "nonifs: socket ") {
						t.Errorf("one of the layers was not there:\n%.1000s", text)
					}
				})
			}
			for _, layer := range []ctest.Layer{ctest.CIFS, ctest.CNonIFS} {
				if base == "memory" && layer.Name == "ifs" {
					continue
				}
				t.Run(layer.Name+" twice", func(t *testing.T) {
					c := ctest.Named(t, base).Compose(t).Clone()
					layer.Install(t, c)
					object, id := copyOf(t, layer)
					ctest.InstallObject(t, c, id, object, layer.Flags)
					transfer(t, program, c)
				})
			}
		})
	}
}

// A layer over IFS handles that a catalog puts over other ones fails, with a
// code, when it takes a socket.
func TestLayerOverHandlesThatItCannotTake(t *testing.T) {
	program := ctest.Compile(t, nil, "testdata/listen.c")
	c := kernel(t)
	ctest.CNonIFS.Install(t, c)
	object, id := copyOf(t, ctest.CIFS)
	ctest.InstallObject(t, c, id, object, 0)
	r := ctest.Run(t, program, nil, ctest.Write(t, c), patience)
	r.OK(t)
	if code, err := strconv.Atoi(strings.TrimSpace(r.Stdout)); err != nil || code == 0 {
		t.Errorf("the program says %q", r.Stdout)
	}
}

var count = regexp.MustCompile(`(?m)^substitute: (\w+) (\d+)$`)

// A layer that hands down a table with functions of its own has the providers
// below call these.
func TestLayerThatSubstitutesUpcalls(t *testing.T) {
	program := ctest.Compile(t, nil, "testdata/transfers.c")
	files := append(sources(t, ctest.CNonIFS), "testdata/substitute.c")
	object := ctest.CompileObject(t, []string{"-I../../examples/c/next", "-Wl,--wrap=NextStart"}, files...)
	for base, called := range map[string][]string{
		"kernel": {"WPUModifyIFSHandle", "WPUQueryBlockingCallback", "WPUPostMessage"},
		"memory": {"WPUCreateSocketHandle", "WPUCloseSocketHandle", "WPUQuerySocketHandleContext", "WPUQueryBlockingCallback", "WPUPostMessage"},
	} {
		t.Run(base, func(t *testing.T) {
			c := ctest.Named(t, base).Compose(t).Clone()
			ctest.InstallObject(t, c, ctest.CNonIFS.ID, object, 0)
			text := transfer(t, program, c)
			counts := map[string]int{}
			for _, m := range count.FindAllStringSubmatch(text, -1) {
				n, _ := strconv.Atoi(m[2])
				counts[m[1]] += n
			}
			for _, name := range called {
				if counts[name] == 0 {
					t.Errorf("%s of the layer was never called: %v", name, counts)
				}
			}
		})
	}
}

// A program in Go hosts layers in C: completion routines run on its bound
// thread, and a second DLL gets no provider in C.
func TestProgramInGoHostsLayersInC(t *testing.T) {
	ctest.NeedNoSanitizer(t, "the program is built without one")
	program := filepath.Join(t.TempDir(), "gohost")
	build := exec.Command("go", "build", "-ldflags=-extldflags -rdynamic", "-o", program, "./testdata/gohost")
	build.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range []string{"ifs", "nonifs"} {
		t.Run(name, func(t *testing.T) {
			r := ctest.Run(t, program, nil, ctest.Named(t, "kernel+c-"+name).Write(t), patience)
			r.OK(t)
			if r.Stdout != "done\n" {
				t.Errorf("the program says %q, %q", r.Stdout, r.Stderr)
			}
		})
	}
}
