package socks

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"upcall.dev/layer/names"
	"upcall.dev/spi"
)

// The manual page has every option with its default, its examples load, and its
// facts are those of the code.
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
		row := regexp.MustCompile("(?m)^\\| `" + o.Name + "=.*$").FindString(readme)
		if o.Default != "" && !strings.Contains(row, "| `"+o.Default+"` |") {
			t.Errorf("the default of %s is not %s in the page", o.Name, o.Default)
		}
	}
	var paths []string
	for _, m := range regexp.MustCompile(`--through socks:(\S+)`).FindAllStringSubmatch(readme, -1) {
		o := spi.Options{}
		for pair := range strings.SplitSeq(m[1], ",") {
			k, v, _ := strings.Cut(pair, "=")
			o[k] = v
		}
		paths = append(paths, spi.GoPath("socks", o))
	}
	for _, m := range regexp.MustCompile(`(?m)^    (go:socks\S*)$`).FindAllStringSubmatch(readme, -1) {
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
	for _, pool := range []string{names.DefaultIPv4.String(), names.DefaultIPv6.String()} {
		if !strings.Contains(readme, pool) {
			t.Errorf("the pool %s is not in the page", pool)
		}
	}
	for code := range byte(10) {
		if err := replyError(code); !strings.Contains(readme, outcome(err).Name()) {
			t.Errorf("the page does not tell of %v", outcome(err))
		}
	}
}

func TestOptions(t *testing.T) {
	for path, want := range map[string]string{
		"go:socks":                                             "say where the proxy is",
		"go:socks?proxy=host":                                  "no HOST:PORT",
		"go:socks?proxy=host:0":                                "no HOST:PORT",
		"go:socks?proxy=host:70000":                            "no HOST:PORT",
		"go:socks?proxy=1.2.3:1":                               "no HOST:PORT",
		"go:socks?proxy=::1:80":                                "no HOST:PORT",
		"go:socks?proxy=[1.2.3.4]:80":                          "no HOST:PORT",
		"go:socks?proxy=a:1&type=socks":                        "choose socks5 or socks4a or http",
		"go:socks?proxy=a:1&dns=no":                            "choose remote or local",
		"go:socks?proxy=a:1&udp=yes":                           "choose on or off",
		"go:socks?proxy=a:1&type=http&udp=on":                  "only a socks5 proxy",
		"go:socks?proxy=a:1&password=x":                        "needs a user",
		"go:socks?proxy=a:1&user=x":                            "wants a password",
		"go:socks?proxy=a:1&type=socks4a&user=x&password=y":    "no passwords",
		"go:socks?proxy=a:1&type=http&user=a%3Ab&password=y":   "no colon",
		"go:socks?proxy=a:1&user=a%0Ab&password=y":             "line ends",
		"go:socks?proxy=a:1&user=a&password=y&password-file=z": "exclude each other",
		"go:socks?proxy=a:1&user=a&password-file=/no/such":     "no such file",
		"go:socks?proxy=a:1&timeout=0s":                        "above 0",
		"go:socks?proxy=a:1&timeout=1":                         "timeout=",
		"go:socks?proxy=a:1&pipeline=maybe":                    "choose auto or on or off",
		"go:socks?proxy=a:1&dns=local&resolver=9.9.9.9":        "does not go with dns=local",
		"go:socks?proxy=a:1&verbose=1":                         "no option",
	} {
		_, err := spi.OpenDriver(spi.NewGUID(), path)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	for value, want := range map[string]string{
		"127.0.0.1:1080": "127.0.0.1:1080", "[::1]:80": "[::1]:80", "Proxy.Example.:3128": "proxy.example:3128",
	} {
		c, err := parse(spi.Options{"proxy": value})
		if err != nil || c.proxy.String() != want {
			t.Errorf("%s is %v: %v", value, c.proxy, err)
		}
	}
	for value, want := range map[string]string{"9.9.9.9": "9.9.9.9:53", "2620:fe::fe": "[2620:fe::fe]:53", "dns.example": "dns.example:53", "[::1]:5353": "[::1]:5353"} {
		c, err := parse(spi.Options{"proxy": "a:1", "resolver": value})
		if err != nil || c.resolver.String() != want {
			t.Errorf("resolver=%s is %v: %v", value, c.resolver, err)
		}
	}
}
