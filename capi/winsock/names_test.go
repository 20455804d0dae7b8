package winsock

import (
	"net"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"upcall.dev/capi/ctest"
	"upcall.dev/catalog"
	"upcall.dev/spi"
	_ "upcall.dev/standard"
)

const patience = 2 * time.Minute

// addressSanitizer finds memory that is used wrongly or not freed, in the program
// and in the C of the library.
var addressSanitizer = []string{"-fsanitize=address", "-fno-omit-frame-pointer"}

// named returns a catalog whose DNS server is at address.
func named(t *testing.T, server string) string {
	t.Helper()
	c := catalog.Default()
	dns, ok := spi.LookupNamespaceDriver("dns")
	if !ok {
		t.Fatal("there is no DNS provider")
	}
	if code := c.UnInstallNameSpace(dns.ProviderID); code != 0 {
		t.Fatal(code)
	}
	if err := c.InstallNamespaceDriver(dns, spi.Options{"server": server}); err != nil {
		t.Fatal(err)
	}
	return ctest.Write(t, c)
}

// silent returns the address of a server that never answers.
func silent(t *testing.T) string {
	t.Helper()
	l, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.LocalAddr().String()
}

func TestNames(t *testing.T) {
	file := named(t, silent(t))
	for name, flags := range map[string][]string{"plain": nil, "sanitized": addressSanitizer} {
		t.Run(name, func(t *testing.T) {
			ctest.Run(t, ctest.Compile(t, flags, "testdata/names.c"), nil, file, patience).OK(t)
		})
	}
}

// TestAnswersAreThoseOfLibc asks the C library the same: of addresses, services,
// protocols and the names of this machine.
func TestAnswersAreThoseOfLibc(t *testing.T) {
	file := named(t, silent(t))
	program := ctest.Compile(t, addressSanitizer, "testdata/oracle.c")
	r := ctest.Run(t, program, nil, file, patience)
	r.OK(t)
	libc := t.TempDir() + "/libc"
	if out, err := exec.Command("gcc", "-o", libc, "-DLIBC", "testdata/oracle.c").CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	out, err := exec.Command(libc).Output()
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := sorted(r.Stdout), sorted(string(out))
	if len(theirs) < 400 {
		t.Fatalf("the C library gives %d answers", len(theirs))
	}
	for _, line := range difference(ours, theirs) {
		t.Errorf("only the library says: %s", line)
	}
	for _, line := range difference(theirs, ours) {
		t.Errorf("only libc says: %s", line)
	}
}

func sorted(text string) []string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	slices.Sort(lines)
	return lines
}

// difference returns what is in a and not in b, with repetitions.
func difference(a, b []string) (only []string) {
	counts := map[string]int{}
	for _, line := range b {
		counts[line]++
	}
	for _, line := range a {
		if counts[line]--; counts[line] < 0 {
			only = append(only, line)
		}
	}
	return only
}

// TestLeaksAreFound keeps the sanitizer honest.
func TestLeaksAreFound(t *testing.T) {
	program := ctest.Compile(t, addressSanitizer, "testdata/leak.c")
	r := ctest.Run(t, program, nil, named(t, silent(t)), patience)
	if r.Code == 0 || !strings.Contains(r.Stderr, "detected memory leaks") {
		t.Fatalf("%v\n%s", r, r.Stderr)
	}
}
