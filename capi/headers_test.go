package capi

import (
	"debug/elf"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const include = "../include/upcall"

// A language is a compiler with the flags for the oldest standard that the
// headers support, warnings being errors.
type language struct {
	name, compiler string
	flags          []string
}

var warnings = []string{"-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I" + include}

// languages returns what there is of gcc, g++, clang and clang++.
func languages(t *testing.T) []language {
	t.Helper()
	var found []language
	for _, l := range []language{
		{"C", "gcc", []string{"-x", "c", "-std=c11"}},
		{"C++", "g++", []string{"-x", "c++", "-std=c++11"}},
		{"C by clang", "clang", []string{"-x", "c", "-std=c11"}},
		{"C++ by clang", "clang++", []string{"-x", "c++", "-std=c++11"}},
	} {
		if _, err := exec.LookPath(l.compiler); err != nil {
			t.Logf("%s left out: no %s here", l.name, l.compiler)
			continue
		}
		found = append(found, l)
	}
	if len(found) == 0 {
		t.Skip("no C compiler here: install gcc")
	}
	return found
}

// compile compiles source, a file's name or, if it has several lines, its text,
// and returns what the compiler says; extra flags come last.
func (l language) compile(t *testing.T, source string, extra ...string) (string, error) {
	t.Helper()
	args := append(slices.Concat(l.flags, warnings), extra...)
	if !slices.Contains(extra, "-c") {
		args = append(args, "-fsyntax-only")
	}
	text := ""
	if strings.Contains(source, "\n") {
		source, text = "-", source
	}
	cmd := exec.Command(l.compiler, append(args, source)...)
	cmd.Stdin = strings.NewReader(text)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (l language) mustCompile(t *testing.T, source string, extra ...string) {
	t.Helper()
	if out, err := l.compile(t, source, extra...); err != nil {
		t.Errorf("%s: %v\n%s", l.name, err, out)
	}
}

func TestLayoutIsThatOfWindows(t *testing.T) {
	for _, l := range languages(t) {
		l.mustCompile(t, "testdata/layout.c")
	}
}

func TestSamplesCompile(t *testing.T) {
	samples, err := filepath.Glob("testdata/samples/*.c")
	if err != nil || len(samples) == 0 {
		t.Fatal("no samples", err)
	}
	variants := []struct {
		name  string
		flags []string
	}{
		{"plain", nil},
		{"the Windows code path with UNICODE", []string{"-D_WIN32", "-D_WIN64", "-DWIN32", "-DUNICODE", "-D_UNICODE"}},
	}
	for _, l := range languages(t) {
		for _, v := range variants {
			for _, s := range samples {
				t.Run(fmt.Sprintf("%s/%s/%s", l.name, v.name, filepath.Base(s)), func(t *testing.T) {
					l.mustCompile(t, s, v.flags...)
				})
			}
		}
	}
}

func TestEachHeaderStandsAlone(t *testing.T) {
	for _, l := range languages(t) {
		err := filepath.WalkDir(include, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			name, err := filepath.Rel(include, path)
			if err != nil {
				return err
			}
			t.Run(l.name+"/"+name, func(t *testing.T) {
				// Twice: nothing is declared a second time.
				l.mustCompile(t, fmt.Sprintf("#include <%[1]s>\n#include <%[1]s>\nextern int n;\n", name))
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// use is what every order of includes must be able to do.
const use = `
#ifdef __cplusplus
#define CHECK(e) static_assert(e, #e)
#else
#define CHECK(e) _Static_assert(e, #e)
#endif
CHECK(sizeof(struct timeval) == 8);
CHECK(sizeof(u_long) == 4);
CHECK(sizeof(fd_set) == 8 + 8 * FD_SETSIZE);
CHECK(FIONREAD == 0x4004667F);
CHECK(IOC_IN == 0x80000000);
int use(void);
int use(void)
{
	struct timeval tv = {0, 100};
	fd_set set;
	u_long n;
	char name[64];
	SOCKET s = socket(AF_INET, SOCK_DGRAM, 0);
	int (*wait)(int, fd_set *, fd_set *, fd_set *, const struct timeval *) = &select;
	FD_ZERO(&set);
	FD_SET(s, &set);
	FD_CLR(s, &set);
	return ioctlsocket(s, FIONREAD, &n) + gethostname(name, sizeof name) + select(0, &set, NULL, NULL, &tv) +
	       wait(0, &set, NULL, NULL, NULL) + FD_ISSET(s, &set) + WSAGetLastError();
}
`

func includes(headers ...string) string {
	var b strings.Builder
	for _, h := range headers {
		fmt.Fprintf(&b, "#include <%s>\n", h)
	}
	return b.String()
}

func TestIncludeOrders(t *testing.T) {
	system := includes("stdio.h", "stdlib.h", "string.h", "time.h", "errno.h", "sys/types.h", "sys/time.h", "sys/resource.h",
		"sys/select.h", "sys/stat.h", "sys/ioctl.h", "sys/timex.h", "unistd.h", "fcntl.h", "signal.h", "pthread.h", "limits.h", "stdint.h")
	const lean = "#define WIN32_LEAN_AND_MEAN\n"
	orders := map[string]string{
		"windows then winsock2, lean": lean + includes("windows.h", "winsock2.h"),
		"windows then winsock2":       includes("windows.h", "winsock2.h"),
		"winsock2 then windows":       includes("winsock2.h", "windows.h"),
		"winsock2":                    includes("winsock2.h"),
		"winsock":                     includes("winsock.h"),
		"windows":                     includes("windows.h"),
		"winsock kept out":            "#define _WINSOCKAPI_\n" + includes("windows.h", "winsock2.h"),
		"ws2tcpip":                    includes("ws2tcpip.h"),
		"ws2spi":                      includes("ws2spi.h", "windows.h"),
		"mswsock":                     includes("mswsock.h", "ws2tcpip.h", "winsock2.h"),
	}
	for _, l := range languages(t) {
		newer := "-std=gnu17"
		if strings.HasPrefix(l.name, "C++") {
			newer = "-std=gnu++20"
		}
		for name, winsock := range orders {
			t.Run(l.name+"/"+name, func(t *testing.T) {
				l.mustCompile(t, winsock+use)
				l.mustCompile(t, winsock+system+use)
				l.mustCompile(t, system+winsock+use, newer)
			})
		}
		if strings.HasPrefix(l.name, "C++") {
			library := includes("algorithm", "atomic", "chrono", "condition_variable", "functional", "iostream", "map", "mutex", "string", "thread", "vector")
			l.mustCompile(t, library+includes("winsock2.h")+use)
			l.mustCompile(t, includes("winsock2.h", "ws2tcpip.h")+library+use)
		}
	}
}

// Functions of the system that have Winsock's types in their names keep their
// own, whatever the order.
func TestSystemKeepsItsTypes(t *testing.T) {
	const text = `
#ifdef __cplusplus
#define CHECK(e) static_assert(e, #e)
#else
#define CHECK(e) _Static_assert(e, #e)
#endif
CHECK(sizeof(struct itimerval) == 32);
CHECK(sizeof(((struct rusage *)0)->ru_utime) == 16);
int use(struct timeval *tv);
int use(struct timeval *tv) { return gettimeofday(tv, NULL); }
`
	system := includes("sys/time.h", "sys/resource.h")
	for _, l := range languages(t) {
		l.mustCompile(t, system+includes("winsock2.h")+text)
		l.mustCompile(t, includes("winsock2.h")+system+text)
		// Without Winsock the directory is not noticed.
		l.mustCompile(t, includes("sys/socket.h", "sys/time.h", "sys/ioctl.h", "poll.h", "unistd.h", "netdb.h")+
			"int f(struct pollfd *p);\nint f(struct pollfd *p) { struct timeval tv; gettimeofday(&tv, NULL); return poll(p, 1, FIONREAD == 0x541B) + (int)sizeof(fd_set); }\n",
			"-D_GNU_SOURCE")
	}
}

func TestSetSize(t *testing.T) {
	check := func(n int) string {
		return fmt.Sprintf("%s\nCHECK(FD_SETSIZE == %d);\n", use, n)
	}
	for _, l := range languages(t) {
		for _, n := range []int{512, 1024} {
			given := fmt.Sprintf("-DFD_SETSIZE=%d", n)
			l.mustCompile(t, includes("winsock2.h", "stdlib.h")+check(n), given)
			l.mustCompile(t, includes("stdlib.h", "sys/time.h", "winsock2.h")+check(n), given, "-D_DEFAULT_SOURCE")
			l.mustCompile(t, includes("stdlib.h")+fmt.Sprintf("#undef FD_SETSIZE\n#define FD_SETSIZE %d\n", n)+includes("winsock2.h")+check(n), "-D_DEFAULT_SOURCE")
		}
		l.mustCompile(t, includes("stdlib.h", "winsock2.h")+check(64), "-D_DEFAULT_SOURCE")
	}
}

func TestSystemSocketHeadersAreRefused(t *testing.T) {
	for _, l := range languages(t) {
		for _, h := range []string{"sys/socket.h", "netinet/in.h", "netdb.h", "arpa/inet.h", "poll.h"} {
			for _, order := range [][]string{{h, "winsock2.h"}, {"winsock2.h", h}} {
				out, err := l.compile(t, includes(order...), "-fmax-errors=1")
				if err == nil || !strings.Contains(out, "a source file can use one of the two; leave the system's out") {
					t.Errorf("%s: %v: error %v, without the explanation:\n%.600s", l.name, order, err, out)
				}
			}
		}
	}
}

func TestShortWideCharacters(t *testing.T) {
	const text = "const WCHAR a[] = L\"text\";\nconst TCHAR *b = TEXT(\"text\");\n"
	for _, l := range languages(t) {
		l.mustCompile(t, includes("winsock2.h")+"extern const WCHAR a[];\nextern const TCHAR *b;\n"+text, "-fshort-wchar", "-DUNICODE")
	}
}

// Every function that the headers declare and libc has, too, is labelled: a
// program that uses all of them needs none from libc.
func TestNoFunctionIsLibcs(t *testing.T) {
	l := languages(t)[0]
	if l.compiler != "gcc" {
		t.Skip("gcc is needed to list prototypes")
	}
	dir := t.TempDir()
	headers := includes("winsock2.h", "ws2tcpip.h", "mswsock.h", "ws2spi.h", "sporder.h", "windows.h", "process.h", "objbase.h", "rpc.h")
	list := filepath.Join(dir, "list")
	l.mustCompile(t, headers+"extern int n;\n", "-aux-info", list)
	prototypes, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range regexp.MustCompile(`(?m)^/\* \.\./include/upcall/.*\*/ extern .*?(\w+) \(`).FindAllStringSubmatch(string(prototypes), -1) {
		// What a provider exports, and not the library.
		if !strings.HasPrefix(m[1], "WSPStartup") && !strings.HasPrefix(m[1], "NSPStartup") {
			names = append(names, m[1])
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) < 250 {
		t.Fatalf("only %d functions found in gcc's list", len(names))
	}
	var b strings.Builder
	b.WriteString(headers + "extern void (*const all[])(void);\nvoid (*const all[])(void) = {\n")
	for _, n := range names {
		fmt.Fprintf(&b, "\t(void (*)(void))%s,\n", n)
	}
	b.WriteString("};\nextern const void *const data[];\nconst void *const data[] = {&in6addr_any, &in6addr_loopback};\n")
	object := filepath.Join(dir, "all.o")
	l.mustCompile(t, b.String(), "-c", "-o", object)

	needed, err := undefined(object)
	if err != nil {
		t.Fatal(err)
	}
	libc, err := exec.Command("gcc", "-print-file-name=libc.so.6").Output()
	if err != nil {
		t.Fatal(err)
	}
	exported, err := dynamic(strings.TrimSpace(string(libc)))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range needed {
		if exported[n] && n != "getpid" { // _getpid is libc's on purpose.
			t.Errorf("%s would be libc's: label it in the header with UPCALL_SYMBOL", n)
		}
	}
	for _, n := range []string{"upcall_socket", "upcall_select", "upcall_getaddrinfo", "upcall_gethostname", "upcall_in6addr_any", "closesocket", "WSASend"} {
		if !slices.Contains(needed, n) {
			t.Errorf("%s is not among the symbols that a program needs", n)
		}
	}
}

// undefined returns the names of the symbols that an object file needs.
func undefined(object string) ([]string, error) {
	f, err := elf.Open(object)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	symbols, err := f.Symbols()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, s := range symbols {
		if s.Section == elf.SHN_UNDEF {
			names = append(names, s.Name)
		}
	}
	return names, nil
}

// dynamic returns the set of the symbols that a shared object exports.
func dynamic(library string) (map[string]bool, error) {
	f, err := elf.Open(library)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	symbols, err := f.DynamicSymbols()
	if err != nil {
		return nil, err
	}
	names := make(map[string]bool)
	for _, s := range symbols {
		if s.Section != elf.SHN_UNDEF {
			names[s.Name] = true
		}
	}
	return names, nil
}
