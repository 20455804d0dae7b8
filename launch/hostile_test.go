package launch

import (
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"upcall.dev/catalog"
	"upcall.dev/spi"
)

func cHostileProgram(t *testing.T, name string) string {
	need(t, "gcc")
	return build(t, name, func(into string) *exec.Cmd {
		return exec.Command("gcc", "-Wall", "-O1", "-pthread", "-o", into, "testdata/hostile/"+name+".c")
	})
}

// counting serves an address, whatever its network, and counts what comes there.
func counting(t *testing.T, network, at string) (address string, came *atomic.Int64) {
	t.Helper()
	came = new(atomic.Int64)
	return countInto(t, came, network, at), came
}

func countInto(t *testing.T, came *atomic.Int64, network, at string) (address string) {
	t.Helper()
	done := make(chan struct{})
	var closer io.Closer
	if network == "udp" || network == "unixgram" {
		c, err := net.ListenPacket(network, at)
		if err != nil {
			t.Fatal(err)
		}
		address, closer = c.LocalAddr().String(), c
		go func() {
			defer close(done)
			for {
				if _, _, err := c.ReadFrom(make([]byte, 10)); err != nil {
					return
				}
				came.Add(1)
			}
		}()
	} else {
		l, err := net.Listen(network, at)
		if err != nil {
			t.Fatal(err)
		}
		address, closer = l.Addr().String(), l
		go func() {
			defer close(done)
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				came.Add(1)
				c.Close()
			}
		}()
	}
	t.Cleanup(func() { closer.Close(); <-done })
	return address
}

// An address that another thread changes while a call is decided on never becomes
// another than the one that the rules have seen.
func TestChangingAddresses(t *testing.T) {
	race := cHostileProgram(t, "race")
	for _, c := range []struct {
		network string
		nonIFS  bool
	}{{"tcp", false}, {"tcp", true}, {"udp", false}, {"udp", true}, {"unix", false}, {"unixgram", false}} {
		t.Run(fmt.Sprintf("%s,nonIFS=%v", c.network, c.nonIFS), func(t *testing.T) {
			var right, wrong *atomic.Int64
			var args []string
			rule := "127.0.0.2"
			if strings.HasPrefix(c.network, "unix") {
				dir := shortDir(t)
				var a, b string
				a, right = counting(t, c.network, filepath.Join(dir, "a"))
				b, wrong = counting(t, c.network, filepath.Join(dir, "b"))
				args, rule = []string{a, b}, "unix:"+b
			} else {
				var a string
				a, right = counting(t, c.network, "127.0.0.1:0")
				_, port := splitAddress(t, a)
				_, wrong = counting(t, c.network, "127.0.0.2:"+port)
				args = []string{port, port}
			}
			file := filepath.Join(t.TempDir(), "rules.toml")
			text := fmt.Sprintf("[[rule]]\ndirection = [\"out\", \"bind\"]\naddress = %q\naction = \"deny\"\n", rule)
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			layers := []catalog.Layer{filtering(spi.Options{"rules": file})}
			if c.nonIFS {
				layers = append(layers, catalog.Layer{Name: "shape", Options: spi.Options{"delay": "0ms"}})
			}
			source, err := compose(layers...)
			if err != nil {
				t.Fatal(err)
			}
			got := run(t, Options{Catalog: source}, race, append(append([]string{c.network}, args...), "300")...)
			if got.code != 0 || got.out != "done\n" || strings.Contains(got.log, "panic") {
				t.Errorf("exit code %d: %s\nlog: %s", got.code, got.out, got.log)
			}
			if right.Load() == 0 || wrong.Load() != 0 {
				t.Errorf("%d have come to where they may, %d to where they may not", right.Load(), wrong.Load())
			}
		})
	}
}

// chainsOfCalls are what FuzzCalls runs its program through.
func chainsOfCalls(t *testing.T) map[string]catalog.Source {
	t.Helper()
	all := map[string]catalog.Source{}
	rule := filtering(spi.Options{"deny": "unix:/nowhere"})
	for name, layers := range map[string][]catalog.Layer{
		"ifs": {rule}, "nonifs": {rule, {Name: "trace", Options: spi.Options{"data": "on", "file": "/dev/null"}}},
	} {
		source, err := compose(layers...)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = source
	}
	return all
}

// The host outlives whatever a program calls, keeps no descriptor of it, and answers
// calls that no chain is about as the kernel does.
func FuzzCalls(f *testing.F) {
	for _, seed := range []string{
		"00" + "0000010600" + "0000060600" + "0000080600" + "00000a0600" + "0000010d00" + "0000011000" + "0000050600", // connect
		"00" + "0202010600" + "0202060600" + "0302080606" + "0402000600" + "04020d0100" + "03020e0000" + "03020f0000", // datagrams
		"00" + "0105030900" + "0205030606" + "0304010000" + "0105030b00" + "0004030900" + "0006030900" + "0b04000000", // Unix sockets
		"00" + "0100010600" + "0b00000000" + "0c00010100" + "0800010000" + "0900010000" + "0a00010000" + "0108010600", // servers, no sockets
		"01" + "0000010600" + "0002010600" + "0202010606" + "03020d0000" + "0005010900" + "01000c0600" + "0c00010100" + "0000010600" + "0002010600" + "0202010606",
		"03" + "0000010600" + "0502010c00" + "0602010000" + "0702010000" + "0005010900" + "01000c0600" + "0000010600" + "0002010600" + "0202010606",
	} {
		code, err := hex.DecodeString(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(code)
	}
	f.Fuzz(func(t *testing.T, code []byte) {
		if len(code) == 0 || len(code) > 200 {
			return
		}
		calls := cHostileProgram(t, "calls")
		argument := hex.EncodeToString(code)
		cmd := exec.Command(calls, argument)
		cmd.Dir = t.TempDir()
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		want := ofOthers(string(out))
		for name, source := range chainsOfCalls(t) {
			files, routines := descriptors(t), runtime.NumGoroutine()
			got := run(t, Options{Catalog: source, Dir: t.TempDir()}, calls, argument)
			switch {
			case got.code != 0 || !strings.HasSuffix(got.out, "alive\n") || strings.Contains(got.log, "panic"):
				t.Fatalf("%s: exit code %d: %s\nlog: %s", name, got.code, got.out, got.log)
			case code[0]&1 == 0 && ofOthers(got.out) != want:
				t.Errorf("%s:\n%s\nwithout upcall:\n%s", name, ofOthers(got.out), want)
			}
			eventually(t, "nothing of the program is left", func() bool {
				return descriptors(t) <= files && runtime.NumGoroutine() <= routines
			})
		}
	})
}

// ofOthers are the lines of calls on what no chain is about, and on Unix sockets,
// whose arguments are checked by the kernel or as it does.
func ofOthers(out string) string {
	var b strings.Builder
	for line := range strings.Lines(out) {
		for _, fd := range []string{"4", "5", "6", "7", "8", "9", "10", "11"} {
			if strings.Contains(line, " of "+fd+" with ") {
				b.WriteString(line)
			}
		}
	}
	return b.String()
}
