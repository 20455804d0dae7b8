package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"upcall.dev/capi/ctest"
	"upcall.dev/catalog"
	"upcall.dev/spi"
)

// exchange is what each program does with the server, whose /hash answers with
// the hash of what it gets: it prints what /page gives, and that.
var exchanges = []struct {
	name     string
	connects int
	args     func(static, url, upload string) []string
}{
	{"curl", 1, func(_, url, upload string) []string {
		return []string{"curl", "-sS", "-H", "Expect:", url + "/page", "--next", "-sS", "-H", "Expect:", "--data-binary", "@" + upload, url + "/hash"}
	}},
	{"python3", 2, func(_, url, upload string) []string {
		return []string{"python3", "-c", pythonExchange, strings.TrimPrefix(url, "http://"), upload}
	}},
	// A static program in Go, as this command is, which only downloads.
	{"static", 1, func(static, url, _ string) []string {
		return []string{"env", fetchVariable + "=" + url + "/page", static}
	}},
}

const pythonExchange = `
import http.client, sys
def ask(method, path, body=None):
    c = http.client.HTTPConnection(sys.argv[1])
    c.request(method, path, body)
    sys.stdout.buffer.write(c.getresponse().read())
    c.close()
ask("GET", "/page")
ask("POST", "/hash", open(sys.argv[2], "rb").read())
`

const exchangePatience = 2 * time.Minute

func TestRunOverLayersInC(t *testing.T) {
	static := filepath.Join(t.TempDir(), "upcall")
	build := exec.Command("go", "build", "-trimpath", "-o", static, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	content := make([]byte, 3<<20)
	source := rand.NewChaCha8([32]byte{1})
	_, _ = source.Read(content)
	hash := sha256.Sum256(content)
	upload := filepath.Join(t.TempDir(), "upload")
	if err := os.WriteFile(upload, content, 0o600); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/page" {
			_, _ = w.Write(content)
			return
		}
		h := sha256.New()
		_, _ = io.Copy(h, r.Body)
		_, _ = io.WriteString(w, hex.EncodeToString(h.Sum(nil)))
	}))
	t.Cleanup(server.Close) // the parallel tests run after this function has returned

	for _, layer := range []ctest.Layer{ctest.CIFS, ctest.CNonIFS} {
		for _, above := range []bool{false, true} {
			name := layer.Name
			if above {
				name += "+trace"
			}
			for _, x := range exchanges {
				t.Run(name+"/"+x.name, func(t *testing.T) {
					t.Parallel()
					args := x.args(static, server.URL, upload)
					if _, err := exec.LookPath(args[0]); err != nil {
						t.Skip(args[0] + " is not installed")
					}
					log, trace := filepath.Join(t.TempDir(), "log"), filepath.Join(t.TempDir(), "trace")
					file := layered(t, layer, above, trace)
					out := runByHost(t, static, file, log, args)
					want, sent := content, 0
					if x.name == "static" { // prints the head of the answer, too
						_, out, _ = bytes.Cut(out, []byte("\r\n\r\n"))
					} else {
						want, sent = append(bytes.Clone(content), hex.EncodeToString(hash[:])...), len(content)
					}
					if !bytes.Equal(out, want) {
						t.Errorf("%d bytes were printed, not the %d that the server gives", len(out), len(want))
					}
					passed(t, layer, log, x.connects, sent, len(content))
					if !above {
						return
					}
					if calls, err := os.ReadFile(trace); err != nil || bytes.Count(calls, []byte("WSPConnect(")) != x.connects {
						t.Errorf("the layer above has not seen %d connects: %v\n%.2000s", x.connects, err, calls)
					}
				})
			}
		}
	}
}

// layered is a catalog's file with the layer over the kernel's provider, and
// trace above it.
func layered(t *testing.T, layer ctest.Layer, above bool, trace string) string {
	t.Helper()
	c := ctest.Named(t, "kernel").Compose(t).Clone()
	layer.Install(t, c)
	if above {
		if _, err := c.InstallLayer(catalog.Layer{Name: "trace", Options: spi.Options{"file": trace}}); err != nil {
			t.Fatal(err)
		}
	}
	return ctest.Write(t, c)
}

// runByHost runs a program by the static command, which hands it to upcall-host.
func runByHost(t *testing.T, static, file, log string, args []string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), exchangePatience)
	defer cancel()
	cmd := exec.CommandContext(ctx, static, append([]string{"run", "--"}, args...)...)
	cmd.Env = append(os.Environ(), "UPCALL_CATALOG="+file, hostVariable+"="+ctest.Host(t), "LAYER_LOG="+log)
	cmd.WaitDelay = 5 * time.Second
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil || stderr.Len() > 0 {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	return out
}

var (
	counted = regexp.MustCompile(`(?m)^ifs: sockets \d+ connects (\d+) `)
	closed  = regexp.MustCompile(`(?m)^nonifs: closed \w+: sent (\d+) received (\d+)$`)
)

// passed checks what the layer says of its work: the one over IFS handles sees
// connects, the other every byte.
func passed(t *testing.T, layer ctest.Layer, log string, connects, sent, received int) {
	t.Helper()
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	number := func(b []byte) int {
		n, _ := strconv.Atoi(string(b))
		return n
	}
	if layer.Flags&spi.XP1_IFS_HANDLES != 0 {
		if m := counted.FindSubmatch(text); m == nil || number(m[1]) != connects {
			t.Errorf("the layer has not seen %d connects:\n%s", connects, text)
		}
		return
	}
	up, down, sockets := 0, 0, 0
	for _, m := range closed.FindAllSubmatch(text, -1) {
		up, down, sockets = up+number(m[1]), down+number(m[2]), sockets+1
	}
	if sockets != connects || up < sent || down < received {
		t.Errorf("the layer has seen %d sockets, %d bytes sent and %d received, not %d, %d and %d:\n%s", sockets, up, down, connects, sent, received, text)
	}
}
