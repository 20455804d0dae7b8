package programs

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"

	"upcall.dev/internal/freeport"
)

// curl builds a program of libcurl's own tests over libcurl, which on Windows
// waits by WSAEventSelect and looks names up in threads of Windows.
func curl(t *testing.T, test string) string {
	flags := []string{
		// Names that its headers know gcc for Windows by.
		"-U__linux__", "-D__MINGW32__", "-D__MINGW64_VERSION_MAJOR=10",
		"-D_GNU_SOURCE", "-DHAVE_CONFIG_H", "-I" + absolute("testdata/curl"), "-DBUILDING_LIBCURL", "-DCURL_STATICLIB", "-Iinclude", "-Ilib",
	}
	return program{name: test, source: fetch(t, "curl"), units: []unit{{files: []string{
		"lib/*.c", "lib/v*/*.c", "tests/libtest/first.c", "tests/libtest/testutil.c", "tests/libtest/testtrace.c", "tests/libtest/" + test + ".c",
	}, flags: shimmed(flags...)}, shim()}}.build(t)
}

func TestCurl(t *testing.T) {
	get, several, put := curl(t, "lib500"), curl(t, "lib526"), curl(t, "lib1591")
	big := make([]byte, 100_000)
	if _, err := rand.Read(big); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			text, err := io.ReadAll(r.Body)
			fmt.Fprintf(w, "%s%v %s\n", text, err, r.Trailer.Get("My-Super-Awesome-Trailer"))
			return
		}
		if _, err := w.Write(big); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	byName := strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	nobody := "http://" + freeport.Refused(t, "127.0.0.1").String()
	over(t, []string{"WSPSocket", "WSPConnect", "WSPEventSelect", "WSPEnumNetworkEvents", "WSPSend", "WSPRecv"}, func(t *testing.T, chain string) {
		t.Run("get", func(t *testing.T) {
			for _, url := range []string{server.URL, byName} {
				// Headers, and what it says of the connection at the end.
				if out := start(t, chain, get, url).wait(t); !bytes.Contains([]byte(out), big) {
					t.Errorf("%s: %d bytes, and not what the server sent", url, len(out))
				}
			}
		})
		t.Run("several", func(t *testing.T) {
			if out := start(t, chain, several, server.URL).wait(t); strings.Count(out, string(big)) != 4 {
				t.Errorf("%d bytes, and not four times what the server sent", len(out))
			}
		})
		t.Run("put", func(t *testing.T) {
			if out := start(t, chain, put, server.URL).wait(t); !strings.Contains(out, "Hello Cloud!\r\n<nil> trail1\n") {
				t.Errorf("the server has got something else: %s", out)
			}
		})
		t.Run("refused", func(t *testing.T) {
			const couldNotConnect = 7 // CURLE_COULDNT_CONNECT
			p := start(t, chain, get, nobody)
			err := <-p.ended
			p.ended <- err
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != couldNotConnect {
				t.Errorf("a connection that is refused: %v", err)
			}
		})
	})
}
