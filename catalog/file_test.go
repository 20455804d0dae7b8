package catalog

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"upcall.dev/spi"
)

// wantRefusal checks that a file was refused, in one line that says what to do.
func wantRefusal(t *testing.T, what string, err error, parts ...string) {
	t.Helper()
	wantMessage(t, what, err, append(parts, "catalog")...)
	var refused *FileError
	if !errors.As(err, &refused) || !refused.Refused || !errors.Is(err, spi.WSANO_RECOVERY) {
		t.Errorf("%s: %#v is not a refusal", what, err)
		return
	}
	if text := err.Error(); !strings.Contains(text, "upcall catalog reset") && !strings.Contains(text, "UPCALL_CATALOG") {
		t.Errorf("%s: %q names no way out", what, text)
	}
}

func newFile(t *testing.T) *File {
	t.Helper()
	return OpenFile(filepath.Join(t.TempDir(), "sub", "catalog.toml"))
}

func install(t *testing.T, f *File, n int) {
	t.Helper()
	must(t, f.InstallProvider(guid(n), "/lib/x.so", []spi.ProtocolInfo{baseInfo("x", 50, 1, 1, 0)}))
}

func TestMissingFileIsTheDefaultCatalog(t *testing.T) {
	for _, f := range []*File{newFile(t), OpenFile("")} {
		c, err := f.Load()
		if err != nil || !reflect.DeepEqual(c, Default()) {
			t.Errorf("%q: %v, %v", f.Path(), c, err)
		}
	}
	err := OpenFile("").Update(func(*Catalog) error { return nil })
	wantMessage(t, "no home", err, "UPCALL_CATALOG")
}

func TestUpdateReplacesTheFile(t *testing.T) {
	f := newFile(t)
	install(t, f, 1)
	info, err := os.Stat(f.Path())
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("a new file: %v, %v; want mode 0600, for it may hold passwords", info.Mode(), err)
	}
	if err := os.Chmod(f.Path(), 0o644); err != nil {
		t.Fatal(err)
	}
	open, err := os.Open(f.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	install(t, f, 2)
	c, err := f.Load()
	if err != nil || c.Serial() != 2 || c.Len() != Default().Len()+2 {
		t.Fatalf("%v, serial %d", err, c.Serial())
	}
	old := make([]byte, 1<<16)
	n, _ := open.Read(old)
	if before, err := Parse(old[:n]); err != nil || before.Serial() != 1 {
		t.Errorf("a reader that had the old file open sees %v, %v", before, err)
	}
	if info, err := os.Stat(f.Path()); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("the replaced file has mode %v, want that of the old one", info.Mode())
	}

	wrong := errors.New("wrong")
	text, _ := os.ReadFile(f.Path())
	if err := f.Update(func(c *Catalog) error { *c = *New(); return wrong }); err != wrong {
		t.Errorf("Update returns %v, want the error of its change", err)
	}
	if after, _ := os.ReadFile(f.Path()); string(after) != string(text) {
		t.Error("a failed change changed the file")
	}
}

func TestUpdateKeepsSymbolicLinks(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "real", "c.toml"), filepath.Join(dir, "link.toml")
	for path, to := range map[string]string{link: "middle.toml", filepath.Join(dir, "middle.toml"): target} {
		if err := os.Symlink(to, path); err != nil {
			t.Fatal(err)
		}
	}
	install(t, OpenFile(link), 1)
	install(t, OpenFile(target), 2)
	if info, err := os.Lstat(link); err != nil || info.Mode().Type() != os.ModeSymlink {
		t.Errorf("the link is now %v, %v", info.Mode(), err)
	}
	if c, err := OpenFile(link).Load(); err != nil || c.Serial() != 2 {
		t.Errorf("%v, %v", c, err)
	}
}

func TestUntrustworthyFilesAreRefusedAndReset(t *testing.T) {
	write := func(text string) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	mode := func(m os.FileMode) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			if err := os.Chmod(path, m); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, test := range []struct {
		name  string
		spoil func(*testing.T, string)
		says  []string
	}{
		{"writable by group", mode(0o620), []string{"0620", "chmod go-w"}},
		{"writable by all", mode(0o606), []string{"0606", "chmod go-w"}},
		{"of another user", func(t *testing.T, path string) {
			if os.Geteuid() != 0 {
				t.Skip("only root can give files away")
			}
			if err := os.Chown(path, 12345, -1); err != nil {
				t.Fatal(err)
			}
		}, []string{"12345"}},
		{"empty", write(""), []string{"[end]"}},
		{"no TOML", write("\x00\x01\xff"), []string{"line 1"}},
		{"unknown key", write("format = 1\ncolour = 'red'\n[end]\n"), []string{"line 2", "colour"}},
		{"newer format", write("format = 2\n[end]\n"), []string{"format 2"}},
		{"too large", write(strings.Repeat("#\n", maxFileSize/2+1)), []string{"larger than 4 MiB"}},
		{"a FIFO", func(t *testing.T, path string) {
			if err := errors.Join(os.Remove(path), unix.Mkfifo(path, 0o600)); err != nil {
				t.Fatal(err)
			}
		}, []string{"not a regular file"}},
		{"a link to itself", func(t *testing.T, path string) {
			if err := errors.Join(os.Remove(path), os.Symlink(filepath.Base(path), path)); err != nil {
				t.Fatal(err)
			}
		}, []string{"UPCALL_CATALOG"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFile(t)
			install(t, f, 1)
			test.spoil(t, f.Path())
			before := describe(f.Path())
			_, err := f.Load()
			wantRefusal(t, "Load", err, append(test.says, f.Path())...)
			err = f.Update(func(*Catalog) error { t.Error("Update let a refused catalog be changed"); return nil })
			wantRefusal(t, "Update", err)
			wantCode(t, "InstallProvider", f.InstallProvider(guid(2), "/x", []spi.ProtocolInfo{baseInfo("x", 50, 1, 1, 0)}), spi.WSANO_RECOVERY)

			backup, err := f.Reset()
			if err != nil {
				t.Fatal(err)
			}
			c, err := f.Load()
			if err != nil || c.Serial() == 0 || outline(c) != outline(Default()) {
				t.Errorf("after Reset: %v, %v", c, err)
			}
			if after := describe(backup); after != before {
				t.Errorf("%s is %q, and what was refused was %q", backup, after, before)
			}
			install(t, f, 3)
		})
	}
}

// describe returns what is at a path: its type and, of a file, its contents.
func describe(path string) string {
	info, err := os.Lstat(path)
	if err != nil {
		return err.Error()
	}
	var text []byte
	if info.Mode().IsRegular() {
		text, _ = os.ReadFile(path)
	}
	return info.Mode().String() + string(text)
}

func TestResetKeepsEveryOldCatalog(t *testing.T) {
	f := newFile(t)
	backup, err := f.Reset()
	if err != nil || backup != "" {
		t.Fatalf("Reset of nothing: %q, %v", backup, err)
	}
	for n, want := range []string{f.Path() + ".bak", f.Path() + ".bak.2", f.Path() + ".bak.3"} {
		install(t, f, n+1)
		backup, err := f.Reset()
		if err != nil || backup != want {
			t.Fatalf("%q, %v; want %q", backup, err, want)
		}
		old, err := OpenFile(backup).Load()
		if err != nil || len(old.ByProvider(guid(n+1))) != 1 {
			t.Errorf("%s: %v", backup, err)
		}
		if c, err := f.Load(); err != nil || c.Serial() != old.Serial()+1 {
			t.Errorf("serial %d after %d: it should go on", c.Serial(), old.Serial())
		}
	}
}

// A path that leads to a directory or a device is a mistake in the path, and a
// reset does not take these away from others.
func TestResetLeavesDirectoriesAndDevices(t *testing.T) {
	dir := t.TempDir()
	null := filepath.Join(dir, "null")
	if err := os.Symlink(os.DevNull, null); err != nil {
		t.Fatal(err)
	}
	for path, what := range map[string]string{dir: "is a directory", null: "is a device"} {
		f := OpenFile(path)
		_, err := f.Load()
		wantRefusal(t, "Load", err, path, what, "set UPCALL_CATALOG to a file")
		// A device itself is only ever tried through a Reset that must refuse
		// before it does anything; the tests may run as root.
		if what == "is a device" {
			if notForReset(fs.ModeDevice|fs.ModeCharDevice) == "" {
				t.Error("a reset would move a device")
			}
			continue
		}
		backup, err := f.Reset()
		wantMessage(t, "Reset", err, path, what, "set UPCALL_CATALOG to a file")
		if info, statErr := os.Stat(path); backup != "" || statErr != nil || !info.IsDir() {
			t.Errorf("backup %q, %v", backup, statErr)
		}
	}
}

// When the new file cannot be written the old one stays in its place. A name
// this long leaves room for the lock and the backup beside it, and none for the
// temporary file.
func TestFailedResetChangesNothing(t *testing.T) {
	f := OpenFile(filepath.Join(t.TempDir(), strings.Repeat("x", 245)))
	text, err := Default().Encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(f.Path(), text, 0o600); err != nil {
		t.Fatal(err)
	}
	before := describe(f.Path())
	backup, err := f.Reset()
	wantMessage(t, "Reset", err, "cannot be written", "as it was")
	if backup != "" || describe(f.Path()) != before {
		t.Errorf("backup %q, the file is %q", backup, describe(f.Path()))
	}
	if left, err := filepath.Glob(f.Path() + ".bak*"); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestBusyCatalog(t *testing.T) {
	f := newFile(t)
	install(t, f, 1)
	f.patience = 20 * time.Millisecond
	lock, err := openLock(f.Path() + ".lock")
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if busy, err := tryLock(lock); busy || err != nil {
		t.Fatal(busy, err)
	}
	err = f.Update(func(*Catalog) error { return nil })
	wantMessage(t, "Update", err, f.Path(), "try again")
	if !errors.Is(err, spi.WSATRY_AGAIN) {
		t.Errorf("%v is not WSATRY_AGAIN", err)
	}
	c, err := f.Load()
	if err != nil {
		t.Fatal("reading waits for no lock: ", err)
	}
	var ids []uint32
	for _, e := range c.Entries() {
		ids = append(ids, e.CatalogEntryID)
	}
	wantCode(t, "WriteProviderOrder", f.WriteProviderOrder(ids), spi.WSATRY_AGAIN)
	wantCode(t, "DeinstallProvider", f.DeinstallProvider(guid(1)), spi.WSANO_RECOVERY)
	if _, err := f.Reset(); err != nil {
		t.Errorf("Reset must work when nothing else does: %v", err)
	}
}

func TestFileThatCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f := OpenFile(filepath.Join(dir, "file", "sub", "catalog.toml"))
	err := f.Update(func(*Catalog) error { return nil })
	wantMessage(t, "Update", err, "not a directory", "UPCALL_CATALOG")
	if !errors.Is(err, spi.WSANO_RECOVERY) {
		t.Errorf("%v is not WSANO_RECOVERY", err)
	}
	_, err = f.Reset()
	wantMessage(t, "Reset", err, "not a directory", "UPCALL_CATALOG")
}

func TestFileDoesWhatTheCatalogDoes(t *testing.T) {
	f := newFile(t)
	install(t, f, 1)
	var id, previous uint32
	must(t, f.InstallProviderAndChains(guid(2), "go:slow", "slow", 0, nil, &id))
	must(t, f.SetProviderInfo(guid(2), ProviderInfoLspCategories, dword(spi.LSP_PROXY), 0))
	must(t, f.SetApplicationCategory("/bin/a", "", spi.LSP_PROXY, nil))
	must(t, f.SetApplicationCategory("/bin/a", "", spi.LSP_FIREWALL, &previous))
	must(t, f.UpdateProvider(guid(1), "/lib/y.so", []spi.ProtocolInfo{baseInfo("y", 50, 1, 1, 0)}))
	must(t, f.DeinstallProvider(memoryID))
	c, err := f.Load()
	if err != nil {
		t.Fatal(err)
	}
	layer, ok := c.Lookup(id)
	y := c.ByProvider(guid(1))[0]
	if !ok || !layer.Layer() || previous != spi.LSP_PROXY || y.Path != "/lib/y.so" || y.Name() != "y" ||
		c.categories[guid(2)] != spi.LSP_PROXY || c.ApplicationCategories("/bin/a", "") != spi.LSP_PROXY|spi.LSP_FIREWALL ||
		len(c.ByProvider(memoryID)) != 0 || c.Serial() != 7 {
		t.Errorf("serial %d, previous %#x\n%s", c.Serial(), previous, outline(c))
	}
	id = 4711
	wantCode(t, "the same again", f.InstallProviderAndChains(guid(2), "go:slow", "slow", 0, nil, &id), spi.WSAEINVAL)
	wantCode(t, "unknown", f.DeinstallProvider(guid(9)), spi.WSAEINVAL)
	if c, _ := f.Load(); c.Serial() != 7 || id != 4711 {
		t.Error("a failed operation left something")
	}
}

func TestDefaultPath(t *testing.T) {
	t.Setenv("HOME", "/home/u")
	t.Setenv("XDG_CONFIG_HOME", "")
	t.Setenv("UPCALL_CATALOG", "")
	check := func(want string) {
		t.Helper()
		if got := DefaultPath(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	check("/home/u/.config/upcall/catalog.toml")
	t.Setenv("XDG_CONFIG_HOME", "relative, and so ignored")
	check("/home/u/.config/upcall/catalog.toml")
	t.Setenv("XDG_CONFIG_HOME", "/conf")
	check("/conf/upcall/catalog.toml")
	t.Setenv("UPCALL_CATALOG", "mine.toml")
	check("mine.toml")
	t.Setenv("UPCALL_CATALOG", "")
	t.Setenv("XDG_CONFIG_HOME", "")
	t.Setenv("HOME", "")
	check("")
}
