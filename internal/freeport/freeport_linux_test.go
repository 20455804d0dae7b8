package freeport

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
)

const childMarker = "UPCALL_TEST_FREEPORT"

// Several processes at once get ports that none of the others has.
func TestTakeIsAlone(t *testing.T) {
	const each = 200
	var mine []string
	for range each {
		mine = append(mine, fmt.Sprint(Take(t)))
	}
	if os.Getenv(childMarker) != "" {
		fmt.Println("ports", strings.Join(mine, " "))
		os.Stdin.Read(make([]byte, 1)) // holds them until the others have theirs
		return
	}
	const processes = 3
	said := make(chan string, processes)
	for range processes {
		cmd := exec.Command(os.Args[0], "-test.run=^TestTakeIsAlone$")
		cmd.Env = append(os.Environ(), childMarker+"=1")
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			stdin.Close()
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
		})
		go func() {
			b, n := make([]byte, 1<<14), 0
			for n < len(b) && !strings.Contains(string(b[:n]), "\n") {
				more, err := stdout.Read(b[n:])
				if n += more; err != nil {
					break
				}
			}
			said <- string(b[:n])
		}()
	}
	all := mine
	for range processes {
		line, ok := strings.CutPrefix(<-said, "ports ")
		if !ok {
			t.Fatalf("a process says %q", line)
		}
		all = append(all, strings.Fields(line)...)
	}
	if slices.Sort(all); len(all) != (processes+1)*each || len(slices.Compact(slices.Clone(all))) != len(all) {
		t.Errorf("%d ports, of which %d differ", len(all), len(slices.Compact(all)))
	}
}

// Both servers by TCP and UDP can listen at the port, again and again.
func TestTakeCanBeListenedAt(t *testing.T) {
	at := fmt.Sprint("127.0.0.1:", Take(t))
	for range 3 {
		l, err := net.Listen("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		u, err := net.ListenPacket("udp", at)
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		u.Close()
		if c, err := net.Dial("tcp", at); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Fatalf("%v, %v", c, err)
		}
	}
}

func TestOutsideOfTheKernelsRange(t *testing.T) {
	for _, r := range []struct{ low, high, first, end int }{
		{32_768, 60_999, 20_000, 30_000},
		{15_000, 64_000, 10_000, 15_000},
		{1024, 60_999, 61_000, 65_536},
		{1024, 65_535, 20_000, 30_000},
	} {
		if first, end := outside(r.low, r.high); first != r.first || end != r.end {
			t.Errorf("beside %d to %d: %d to %d", r.low, r.high, first, end-1)
		}
	}
}

func TestRefused(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "127.3.2.1", "::1"} {
		t.Run(host, func(t *testing.T) {
			at := Refused(t, host)
			if c, err := net.Dial("tcp", at.String()); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("%v, %v", c, err)
			}
			if l, err := net.Listen("tcp", at.String()); !errors.Is(err, syscall.EADDRINUSE) {
				t.Errorf("%v, %v", l, err)
			}
		})
		t.Run(host+", datagrams", func(t *testing.T) {
			at := RefusedDatagrams(t, host)
			c, err := net.Dial("udp", at.String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := c.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Error(err)
			}
			if l, err := net.ListenPacket("udp", at.String()); !errors.Is(err, syscall.EADDRINUSE) {
				t.Errorf("%v, %v", l, err)
			}
		})
	}
}
