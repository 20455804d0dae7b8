package conformance

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"upcall.dev/capi/ctest"
)

// sample is a part of the behaviours, of each kind, over chains of each kind:
// make sanitize runs them all.
const sample = "^TestBehaviour(021|025|029|042|047|065|088|094|125)_/^(memory|kernel[+]c-ifs|kernel[+]c-nonifs)$"

// TestSampleWithAddressSanitizer runs a part of these tests again with the library, the programs and
// the providers in C built with sanitizers of addresses and of undefined
// behaviour, which look for leaks at each program's end, too.
func TestSampleWithAddressSanitizer(t *testing.T) {
	ctest.NeedNoSanitizer(t, "all tests are run with it")
	if testing.Short() {
		t.Skip("it builds the library again")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, self, "-test.run="+sample)
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "UPCALL_TEST_LIBRARY=")
	}), ctest.SanitizerVariable+"=address")
	if dir := os.Getenv("UPCALL_TEST_LIBRARY_ADDRESS"); dir != "" {
		cmd.Env = append(cmd.Env, "UPCALL_TEST_LIBRARY="+dir)
	}
	if out, err := cmd.CombinedOutput(); err != nil || !strings.HasSuffix(string(out), "PASS\n") {
		t.Errorf("%v\n%s", err, out)
	}
}
