package main

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// nginxConfiguration serves a directory at a port, in one process.
const nginxConfiguration = `daemon off;
master_process off;
pid %[1]s/pid;
error_log stderr crit;
events { worker_connections 1024; }
http {
	access_log off;
	keepalive_requests 1000000000;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	server { listen %[2]s:%[3]d; root %[1]s; }
}
`

// serveFile starts nginx with a file of the size of a small page.
func serveFile() (port int, done func(), err error) {
	dir, err := os.MkdirTemp("", "upcall-bench-")
	if err != nil {
		return 0, nil, err
	}
	if err = os.WriteFile(filepath.Join(dir, "index.html"), bytes.Repeat([]byte("x"), 612), 0o600); err == nil {
		var failed error
		port, done, err = listening("nginx", func(at int) []string {
			file := filepath.Join(dir, "nginx.conf")
			failed = os.WriteFile(file, fmt.Appendf(nil, nginxConfiguration, dir, loopback, at), 0o600)
			return []string{"-p", dir, "-e", "stderr", "-c", file}
		})
		if failed != nil {
			err = failed
		}
	}
	if err != nil {
		_ = os.RemoveAll(dir)
		return 0, nil, err
	}
	stop := done
	return port, func() { stop(); _ = os.RemoveAll(dir) }, nil
}

var requestsPerSecond = regexp.MustCompile(`Requests/sec: +([0-9.]+)`)

// requests measures a way against none with wrk, 64 connections that are kept alive,
// and nginx.
func (w way) requests() (side, side, func(), error) {
	program, err := exec.LookPath("wrk")
	if err != nil {
		return nil, nil, nil, absent("wrk is not installed")
	}
	port, stop, err := serveFile()
	if err != nil {
		return nil, nil, nil, err
	}
	command, to, done, err := w.open(port)
	if err != nil {
		stop()
		return nil, nil, nil, err
	}
	run := func(command func(...string) *exec.Cmd, to endpoint) side {
		return func(each time.Duration) (float64, error) {
			seconds := fmt.Sprintf("%.0fs", math.Ceil(each.Seconds())) // wrk takes whole ones
			cmd := command(program, "-t", "1", "-c", "64", "-d", seconds, fmt.Sprintf("http://%s:%d/", to.address, to.port))
			cmd.Stderr = os.Stderr
			out, err := cmd.Output()
			if err != nil {
				return 0, err
			}
			found := requestsPerSecond.FindSubmatch(out)
			if found == nil || bytes.Contains(out, []byte("Socket errors")) || bytes.Contains(out, []byte("Non-2xx")) {
				return 0, fmt.Errorf("wrk: %s", bytes.TrimSpace(out))
			}
			return strconv.ParseFloat(string(found[1]), 64)
		}
	}
	return run(command, to), run(plain, endpoint{loopback, port}), func() { done(); stop() }, nil
}
