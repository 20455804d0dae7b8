package provider_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"upcall.dev/capi/ctest"
	"upcall.dev/catalog"
	"upcall.dev/spi"
)

// nameless returns a catalog without name-space providers.
func nameless(t *testing.T) string {
	t.Helper()
	c := catalog.Default()
	for _, n := range c.Namespaces() {
		if code := c.UnInstallNameSpace(n.ID); code != 0 {
			t.Fatal(code)
		}
	}
	return ctest.Write(t, c)
}

const namesPatience = 2 * time.Minute

func TestNameSpaceProviderInC(t *testing.T) {
	for name, flags := range map[string][]string{"plain": nil, "sanitized": {"-fsanitize=address", "-fno-omit-frame-pointer"}} {
		t.Run(name, func(t *testing.T) {
			object := ctest.CompileObject(t, flags, "testdata/namespace.c")
			program := ctest.Compile(t, flags, "testdata/names.c")
			ctest.Run(t, program, []string{object}, nameless(t), namesPatience).OK(t)
		})
	}
}

// TestNameSpaceProviderThatDoesNotStart is of objects that cannot be used, what
// the program is told, and that nothing of them stays.
func TestNameSpaceProviderThatDoesNotStart(t *testing.T) {
	object := ctest.CompileObject(t, nil, "testdata/namespace.c")
	program := ctest.Compile(t, nil, "testdata/names.c")
	for name, c := range map[string]struct {
		path, env string
		code      spi.Errno
		told      string
	}{
		"refuses":    {object, "TEST_NAMES_REFUSE=1", spi.WSAEPROVIDERFAILEDINIT, "NSPStartup failed"},
		"incomplete": {object, "TEST_NAMES_INCOMPLETE=1", spi.WSAEINVALIDPROCTABLE, "one of its nine functions is missing"},
		"no startup": {"libm.so.6", "X=", spi.WSAEPROVIDERFAILEDINIT, "exports no NSPStartup"},
		"no file":    {"/nowhere/names.so", "X=", spi.WSAEPROVIDERFAILEDINIT, "/nowhere/names.so"},
	} {
		t.Run(name, func(t *testing.T) {
			r := ctest.RunEnv(t, program, []string{c.path, strconv.Itoa(int(c.code))}, nameless(t), namesPatience, c.env)
			r.OK(t)
			if !strings.Contains(r.Stderr, c.told) {
				t.Errorf("the program is told %q, which does not contain %q", r.Stderr, c.told)
			}
		})
	}
}
