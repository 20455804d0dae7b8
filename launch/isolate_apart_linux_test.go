package launch

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"upcall.dev/catalog"
	_ "upcall.dev/layer/filter"
	"upcall.dev/spi"
)

// Where the catalog tells programs apart, what an isolated program starts has the
// rules of that program, and a line says so.
func TestIsolatedProgramsAreNotToldApart(t *testing.T) {
	needNamespaces(t)
	curl, sh := need(t, "curl"), need(t, "sh")
	server := serveHTTP(t, "127.0.0.1")
	real, err := filepath.EvalSymlinks(curl)
	if err != nil {
		t.Fatal(err)
	}
	rules := filepath.Join(t.TempDir(), "rules.toml")
	text := "default = \"allow\"\n\n[[rule]]\nprogram = \"" + real + "\"\naction = \"deny\"\nerror = \"WSAEHOSTUNREACH\"\n"
	if err := os.WriteFile(rules, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	source, err := compose(catalog.Layer{Name: "filter", Options: spi.Options{"rules": rules}})
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + insideOf(t, server) + "/hello"
	const said = "tells programs apart, which --isolate does not"
	r := run(t, Options{Catalog: source, Isolate: true}, curl, "-sS", url)
	if r.code == 0 || !strings.Contains(r.log, said) {
		t.Errorf("a program that is denied: exit code %d, %s, %s", r.code, r.out, r.log)
	}
	r = run(t, Options{Catalog: source, Isolate: true}, sh, "-c", "curl -sS "+url+"; exit $?")
	if r.code != 0 || r.out != "hello\n" || !strings.Contains(r.log, said) {
		t.Errorf("the same, started by one that is not: exit code %d, %s, %s", r.code, r.out, r.log)
	}
}
