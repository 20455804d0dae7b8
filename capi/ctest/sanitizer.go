package ctest

import (
	"fmt"
	"os"
	"sync"
	"testing"
)

// SanitizerVariable is the environment variable by which a run of tests takes a
// library, programs and providers built with a sanitizer: "address", which is
// with that of undefined behaviour, or "thread".
const SanitizerVariable = "UPCALL_TEST_SANITIZE"

// sanitizers are the compiler's flags.
var sanitizers = map[string][]string{
	"address": {"-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"},
	"thread":  {"-fsanitize=thread"},
}

// Sanitizer returns the sanitizer of this run of tests, "" for none.
func Sanitizer() string { return os.Getenv(SanitizerVariable) }

// sanitizing returns the compiler's flags of this run.
var sanitizing = sync.OnceValues(func() ([]string, error) {
	name := Sanitizer()
	if flags, ok := sanitizers[name]; ok || name == "" {
		return flags, nil
	}
	return nil, fmt.Errorf("%s=%s: the sanitizers are address and thread", SanitizerVariable, name)
})

// NeedNoSanitizer skips the test in a run with a sanitizer, which cannot have
// what the test is about, for a reason.
func NeedNoSanitizer(t testing.TB, reason string) {
	t.Helper()
	if Sanitizer() != "" {
		t.Skipf("with the sanitizer of the kind %s: %s", Sanitizer(), reason)
	}
}
