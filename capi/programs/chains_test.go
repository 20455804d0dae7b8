package programs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"upcall.dev/capi/ctest"
	"upcall.dev/catalog"
	"upcall.dev/spi"
)

// over runs a test over the kernel provider alone, under a layer that passes its
// sockets on, and under one with sockets of its own; the test gets the path of
// the chain's catalog. calls are functions of the provider that the program must
// have called, which trace shows.
func over(t *testing.T, calls []string, test func(t *testing.T, chain string)) {
	t.Helper()
	for _, name := range []string{"kernel", "trace", "shape"} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "calls.log")
			var layers []catalog.Layer
			switch name {
			case "trace":
				layers = []catalog.Layer{{Name: name, Options: spi.Options{"file": file}}}
			case "shape":
				layers = []catalog.Layer{{Name: name, Options: spi.Options{"delay": "1ms"}}}
			}
			c, err := catalog.Compose(catalog.Default(), "kernel", layers)
			if err != nil {
				t.Fatal(err)
			}
			test(t, ctest.Write(t, c))
			if name != "trace" {
				return
			}
			log, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, call := range calls {
				if !strings.Contains(string(log), " "+call+"(") {
					t.Errorf("the program has not called %s", call)
				}
			}
		})
	}
}
