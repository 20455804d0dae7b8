package filter

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"upcall.dev/spi"
)

func TestReadme(t *testing.T) {
	b, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	readme := string(b)
	for _, o := range options {
		if !strings.Contains(readme, "| `"+o.Name+"=") {
			t.Errorf("option %s is not described", o.Name)
		}
	}
	for _, e := range denials {
		if !strings.Contains(readme, e.Name()) {
			t.Errorf("error %s is not named", e.Name())
		}
	}
	files := regexp.MustCompile("(?s)```toml\n(.*?)```").FindAllStringSubmatch(readme, -1)
	if len(files) < 2 {
		t.Fatalf("README.md has %d files", len(files))
	}
	for _, m := range files {
		if _, err := parseFile("rules.toml", []byte(m[1]), defaultDenied); err != nil {
			t.Errorf("%v in\n%s", err, m[1])
		}
	}
	var paths []string
	for _, m := range regexp.MustCompile(`--through filter:(\S+)`).FindAllStringSubmatch(readme, -1) {
		o := spi.Options{}
		for pair := range strings.SplitSeq(m[1], ",") {
			k, v, _ := strings.Cut(pair, "=")
			if k == "rules" {
				v = filepath.Join(t.TempDir(), v)
				if err := os.WriteFile(v, []byte(files[0][1]), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			o[k] = v
		}
		paths = append(paths, spi.GoPath("filter", o))
	}
	for _, m := range regexp.MustCompile(`(?m)^    (go:filter\S*)$`).FindAllStringSubmatch(readme, -1) {
		paths = append(paths, m[1])
	}
	if len(paths) < 5 {
		t.Fatalf("README.md has examples %q only", paths)
	}
	for _, path := range paths {
		if _, err := spi.OpenDriver(spi.NewGUID(), path); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}

	// The line of the log is what the last path and the call give.
	_, o, _, err := spi.ParseGoPath(paths[len(paths)-1])
	if err != nil {
		t.Fatal(err)
	}
	c, err := parse(o)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.CreateTemp(t.TempDir(), "log")
	if err != nil {
		t.Fatal(err)
	}
	j := &journal{program: "/usr/bin/curl", path: file.Name(), file: file, now: func() time.Time { return time.Date(2026, 1, 2, 9, 41, 7, 0, time.UTC) }}
	op, ok := newOperation(connect, tcp, address("192.0.2.25:25"))
	if !ok {
		t.Fatal("no operation")
	}
	j.write(&op, c.policy(nil).decide(&op))
	j.close()
	written, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	if want := regexp.MustCompile("(?s)```log\n(.*?)```").FindStringSubmatch(readme)[1]; string(written) != want {
		t.Errorf("the log has %q, README.md %q", written, want)
	}
}
