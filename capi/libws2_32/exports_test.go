package main_test

import (
	"bufio"
	"debug/elf"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"upcall.dev/capi/ctest"
)

// exported returns the symbols that programs can link with, and their versions.
func exported(t *testing.T) map[string]string {
	t.Helper()
	file, err := elf.Open(filepath.Join(ctest.Library(t), "libws2_32.so.0"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	symbols, err := file.DynamicSymbols()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, s := range symbols {
		if s.Section != elf.SHN_UNDEF && s.Section != elf.SHN_ABS {
			found[s.Name] = s.Version
		}
	}
	names, err := file.DynString(elf.DT_SONAME)
	if err != nil || len(names) != 1 || names[0] != "libws2_32.so.0" {
		t.Errorf("the SONAME is %q, %v", names, err)
	}
	return found
}

// symbol returns the symbol of a function that has a name on Windows, "" if there
// is none. libc may have a function of that name as well.
func symbol(symbols map[string]string, name string) string {
	for _, s := range []string{name, "upcall_" + name} {
		if _, ok := symbols[s]; ok {
			return s
		}
	}
	return ""
}

// definitions returns the names of a module-definition file.
func definitions(t *testing.T, name string) (names []string) {
	t.Helper()
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if line, ok := strings.CutPrefix(lines.Text(), "\t"); ok {
			name, _, _ := strings.Cut(line, " ")
			names = append(names, name)
		}
	}
	return names
}

// onlyInDLL is what ws2_32.def has for the DLL only.
var onlyInDLL = []string{"WEP"}

func TestExportsAreThoseOfTheDLL(t *testing.T) {
	symbols := exported(t)
	names := definitions(t, "ws2_32.def")
	if len(names) < 190 {
		t.Fatalf("ws2_32.def has only %d names", len(names))
	}
	for _, name := range names {
		if symbol(symbols, name) == "" && !slices.Contains(onlyInDLL, name) {
			t.Errorf("%s is not exported", name)
		}
	}
	for s, version := range symbols {
		if version != "UPCALL_1" {
			t.Errorf("%s has version %q", s, version)
		}
	}
}

// notOurs are functions that the headers declare for providers to define.
var notOurs = []string{"WSPStartup", "NSPStartup"}

// undeclared are exports that no header declares, since Microsoft's do not
// either: a program looks them up by name.
func undeclared(name string) bool {
	return strings.HasPrefix(name, "Wah") || slices.Contains(undocumented, name)
}

// undocumented exports of ws2_32.dll have no public prototype.
var undocumented = []string{
	"WPUGetProviderPathEx", "WSCDeinstallProviderEx", "WSCEnumProtocolsEx", "WSCGetApplicationCategoryEx",
	"WSCSetApplicationCategoryEx", "WSCInstallNameSpaceEx2", "WSCInstallProviderEx", "WSCUnInstallNameSpaceEx2",
	"WSCUpdateProviderEx", "WSCWriteProviderOrderEx",
}

func TestExportsAreWhatTheHeadersDeclare(t *testing.T) {
	symbols := exported(t)
	declared := declarations(t)
	if len(declared) < 200 {
		t.Fatalf("the headers declare only %d names", len(declared))
	}
	known := map[string]bool{}
	for _, name := range declared {
		s := symbol(symbols, name)
		known[s] = true
		if s == "" && !slices.Contains(notOurs, name) {
			t.Errorf("%s is declared but not exported", name)
		}
	}
	for s := range symbols {
		if !known[s] && !undeclared(s) {
			t.Errorf("%s is exported but not declared", s)
		}
	}
}

// declaration is a line of gcc's -aux-info about a header: a function that is not
// static.
var declaration = regexp.MustCompile(`^/\* (\S+/include/upcall/\S+):\d+:N[CF] \*/ extern .*?(\w+) \(`)

// variable is the declaration of data, which -aux-info leaves out.
var variable = regexp.MustCompile(`(?m)^extern const struct \w+ (\w+) UPCALL_SYMBOL\(`)

// libcs is the declaration of a function of libc's under a name of Windows.
var libcs = regexp.MustCompile(`(?m)(\w+)\([^;]*\) __asm__\("\w+"\);`)

// declarations returns the functions and the data that the headers declare, but
// for those that are libc's.
func declarations(t *testing.T) (names []string) {
	t.Helper()
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("no C compiler here: install gcc")
	}
	dir := t.TempDir()
	var others []string
	err := filepath.WalkDir(ctest.Include(), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range variable.FindAllSubmatch(text, -1) {
			names = append(names, string(m[1]))
		}
		for _, m := range libcs.FindAllSubmatch(text, -1) {
			others = append(others, string(m[1]))
		}
		info, source := filepath.Join(dir, "info"), filepath.Join(dir, "source.c")
		if err := os.WriteFile(source, []byte("#include \""+path+"\"\n"), 0o644); err != nil {
			return err
		}
		cmd := exec.Command("gcc", "-I"+ctest.Include(), "-fsyntax-only", "-aux-info", info, source)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", path, err, out)
		}
		lines, err := os.ReadFile(info)
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(lines)) {
			if m := declaration.FindStringSubmatch(line); m != nil {
				names = append(names, m[2])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(name string) bool { return slices.Contains(others, name) })
}
