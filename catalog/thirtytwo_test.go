package catalog

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"upcall.dev/spi"
)

func TestThirtyTwoIsAnotherFile(t *testing.T) {
	for path, want := range map[string]string{
		"/etc/catalog.toml": "/etc/catalog32.toml",
		"/etc/x.d/catalog":  "/etc/x.d/catalog32",
		"":                  "",
	} {
		if got := OpenFile(path).ThirtyTwo().Path(); got != want {
			t.Errorf("%q has %q, want %q", path, got, want)
		}
	}
	f := newFile(t)
	install(t, f, 1)
	install(t, f.ThirtyTwo(), 2)
	must(t, f.ThirtyTwo().DeinstallProvider(guid(2)))
	wantCode(t, "what the other has", f.ThirtyTwo().DeinstallProvider(guid(1)), spi.WSAEINVAL)
	must(t, f.ThirtyTwo().InstallNameSpace("x", "/x.so", spi.NS_DNS, 1, guid(3)))
	var length uint32
	n, code := f.EnumNameSpaceProviders(false, &length, nil)
	if n != 0 || code != 0 {
		t.Errorf("a namespace of the 32-bit catalog is in the other: %d, %v", n, code)
	}
	must(t, f.DeinstallProvider(guid(1)))
}

// pathIn returns what WSCGetProviderPath says of a provider.
func pathIn(t *testing.T, f *File, id spi.GUID) string {
	t.Helper()
	buf := make([]uint16, MaxPath)
	length := int32(len(buf))
	if code := f.ProviderPath(id, buf, &length); code != 0 {
		return code.Error()
	}
	return spi.UTF16ToString(buf)
}

func TestInstallInBoth(t *testing.T) {
	f := newFile(t)
	infos := []spi.ProtocolInfo{baseInfo("x", 50, 1, 1, 0)}
	must(t, f.InstallProvider64_32(guid(1), "/lib/x.so", infos))
	if a, b := pathIn(t, f, guid(1)), pathIn(t, f.ThirtyTwo(), guid(1)); a != "/lib/x.so" || b != a {
		t.Errorf("installed from %s and %s", a, b)
	}
	var entry uint32
	must(t, f.InstallProviderAndChains64_32(guid(2), "/lib64/l.so", "/lib/l.so", "l", 0, nil, &entry))
	if a, b := pathIn(t, f, guid(2)), pathIn(t, f.ThirtyTwo(), guid(2)); a != "/lib64/l.so" || b != "/lib/l.so" {
		t.Errorf("installed from %s and %s", a, b)
	}
	c, err := f.Load()
	if err != nil {
		t.Fatal(err)
	}
	if e, ok := c.Lookup(entry); !ok || !e.Layer() || e.ProviderID != guid(2) {
		t.Errorf("entry %d is %+v", entry, e)
	}
}

func TestInstallInBothOrNeither(t *testing.T) {
	infos := []spi.ProtocolInfo{baseInfo("x", 50, 1, 1, 0)}
	installs := map[string]func(*File) spi.Errno{
		"provider": func(f *File) spi.Errno { return f.InstallProvider64_32(guid(1), "/lib/x.so", infos) },
		"chains": func(f *File) spi.Errno {
			return f.InstallProviderAndChains64_32(guid(1), "/lib/x.so", "/lib/x.so", "l", 0, nil, nil)
		},
	}
	for what, both := range installs {
		// There already, with the 32-bit catalog alone.
		f := newFile(t)
		must(t, f.ThirtyTwo().InstallProvider(guid(1), "/lib/before.so", infos))
		before, _ := f.Load()
		if code := both(f); code == 0 {
			t.Errorf("%s: succeeds where the 32-bit catalog has it", what)
		}
		if after, _ := f.Load(); after.Serial() != before.Serial() || len(after.ByProvider(guid(1))) != 0 {
			t.Errorf("%s: the file changed", what)
		}
		if path := pathIn(t, f.ThirtyTwo(), guid(1)); path != "/lib/before.so" {
			t.Errorf("%s: the 32-bit catalog lost what it had: %s", what, path)
		}

		// The file can be read and locked, and its name is too long for another one beside it.
		dir := t.TempDir()
		f = OpenFile(filepath.Join(dir, "catalog.toml"))
		if err := os.Symlink(strings.Repeat("n", 250), f.Path()); err != nil {
			t.Fatal(err)
		}
		wantCode(t, what, both(f), spi.WSANO_RECOVERY)
		c, err := f.ThirtyTwo().Load()
		if err != nil || len(c.ByProvider(guid(1))) != 0 {
			t.Errorf("%s: the 32-bit catalog kept it, or %v", what, err)
		} else if c.Serial() != 2 {
			t.Errorf("%s: the 32-bit catalog was changed %d times, want an installation and its undoing", what, c.Serial())
		}
	}
}
