package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// relayVariable turns this program into a relay to a port.
const relayVariable = "UPCALL_BENCH_RELAY"

func relayMain() {
	port := os.Getenv(relayVariable)
	if port == "" {
		return
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	l, err := net.Listen("tcp", loopback+":0")
	for err == nil {
		fmt.Println(l.Addr().(*net.TCPAddr).Port)
		for {
			var conn net.Conn
			if conn, err = l.Accept(); err != nil {
				break
			}
			go relayTo(conn.(*net.TCPConn), loopback+":"+port)
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// reading and writing hide what io.Copy would hand the copying to the kernel with,
// which a relay that looks at the bytes cannot.
type (
	reading struct{ io.Reader }
	writing struct{ io.Writer }
)

func relayTo(near *net.TCPConn, address string) {
	defer near.Close()
	far, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer far.Close()
	ended := make(chan struct{})
	half := func(to, from *net.TCPConn) {
		_, _ = io.CopyBuffer(writing{to}, reading{from}, make([]byte, 256<<10))
		_ = to.CloseWrite()
	}
	go func() {
		half(far.(*net.TCPConn), near)
		close(ended)
	}()
	half(near, far.(*net.TCPConn))
	<-ended
}

// goRelay is io.Copy between two connections in a process of its own.
func goRelay(port int) (func(...string) *exec.Cmd, endpoint, func(), error) {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), relayVariable+"="+strconv.Itoa(port))
	p, err := startProcess("relay", cmd, anyProcessor)
	if err != nil {
		return nil, endpoint{}, nil, err
	}
	line, err := p.answer()
	at := 0
	if err == nil {
		at, err = strconv.Atoi(line)
	}
	if err != nil {
		p.stop()
		return nil, endpoint{}, nil, err
	}
	return plain, endpoint{loopback, at}, p.stop, nil
}

func socat(port int) (func(...string) *exec.Cmd, endpoint, func(), error) {
	at, done, err := listening("socat", func(at int) []string {
		return []string{"-b", "262144", fmt.Sprintf("TCP-LISTEN:%d,bind=%s,fork,reuseaddr", at, loopback), fmt.Sprintf("TCP:%s:%d", loopback, port)}
	})
	return plain, endpoint{loopback, at}, done, err
}

// proxychains is proxychains4 with a SOCKS server, microsocks.
func proxychains(port int) (func(...string) *exec.Cmd, endpoint, func(), error) {
	program, err := exec.LookPath("proxychains4")
	if err != nil {
		return nil, endpoint{}, nil, absent("proxychains4 is not installed")
	}
	at, done, err := listening("microsocks", func(at int) []string { return []string{"-i", loopback, "-p", strconv.Itoa(at)} })
	if err != nil {
		return nil, endpoint{}, nil, err
	}
	dir, err := os.MkdirTemp("", "upcall-bench-")
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "proxychains.conf"), fmt.Appendf(nil, "strict_chain\n[ProxyList]\nsocks5 %s %d\n", loopback, at), 0o600)
	}
	if err != nil {
		done()
		return nil, endpoint{}, nil, err
	}
	command := func(args ...string) *exec.Cmd {
		return exec.Command(program, append([]string{"-q", "-f", filepath.Join(dir, "proxychains.conf")}, args...)...)
	}
	return command, endpoint{loopback, port}, func() { done(); _ = os.RemoveAll(dir) }, nil
}

// listening starts a server of somebody else's at a free port.
func listening(name string, args func(at int) []string) (at int, done func(), err error) {
	program, err := exec.LookPath(name)
	if err != nil {
		return 0, nil, absent(name + " is not installed")
	}
	l, err := net.Listen("tcp", loopback+":0")
	if err != nil {
		return 0, nil, err
	}
	at = l.Addr().(*net.TCPAddr).Port
	_ = l.Close()
	cmd := exec.Command(program, args(at)...)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return 0, nil, err
	}
	done = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if conn, err := net.Dial("tcp", net.JoinHostPort(loopback, strconv.Itoa(at))); err == nil {
			_ = conn.Close()
			return at, done, nil
		}
	}
	done()
	return 0, nil, errors.New(name + " does not listen")
}
