package shape

import (
	"os"
	"regexp"
	"strings"
	"testing"

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
	var paths []string
	for _, m := range regexp.MustCompile(`--through shape:(\S+)`).FindAllStringSubmatch(readme, -1) {
		o := spi.Options{}
		for pair := range strings.SplitSeq(m[1], ",") {
			k, v, _ := strings.Cut(pair, "=")
			o[k] = v
		}
		paths = append(paths, spi.GoPath("shape", o))
	}
	for _, m := range regexp.MustCompile(`(?m)^    (go:shape\S*)$`).FindAllStringSubmatch(readme, -1) {
		paths = append(paths, m[1])
	}
	if len(paths) < 3 {
		t.Fatalf("README.md has examples %q only", paths)
	}
	for _, path := range paths {
		if _, err := spi.OpenDriver(spi.NewGUID(), path); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	for _, same := range [][2]string{{"8Mbit", "1M"}, {"8Mbit/s", "1M"}, {"2MB/s", "2M"}, {"1.5M", "1500k"}, {"500k", "500000"}} {
		a, err := parseRate("rate", same[0])
		if err != nil {
			t.Error(err)
		}
		if b, _ := parseRate("rate", same[1]); a != b || !strings.Contains(readme, "`"+same[0]+"`") {
			t.Errorf("%s is %g bytes per second, %s is %g", same[0], a, same[1], b)
		}
	}
}
