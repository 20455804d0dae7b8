package catalog

import (
	"encoding/binary"
	"slices"
	"testing"

	"upcall.dev/spi"
)

func dword(n uint32) []byte { return binary.NativeEndian.AppendUint32(nil, n) }

func TestProviderInfo(t *testing.T) {
	c := layered(t)
	must(t, c.SetProviderInfo(guid(1), ProviderInfoLspCategories, dword(spi.LSP_PROXY), 0))
	must(t, c.SetProviderInfo(guid(1), ProviderInfoLspCategories, dword(spi.LSP_SYSTEM|spi.LSP_FIREWALL), 0))
	got := make([]byte, 4)
	size := uintptr(4)
	must(t, c.GetProviderInfo(guid(1), ProviderInfoLspCategories, got, &size, 0))
	if v := binary.NativeEndian.Uint32(got); v != spi.LSP_SYSTEM|spi.LSP_FIREWALL || size != 4 {
		t.Errorf("categories %#x, size %d: a second set replaces the first", v, size)
	}
	must(t, c.GetProviderInfo(guid(2), ProviderInfoLspCategories, got, &size, 0))
	if v := binary.NativeEndian.Uint32(got); v != 0 {
		t.Errorf("a layer without categories has %#x", v)
	}

	wantCode(t, "set audit", c.SetProviderInfo(guid(1), ProviderInfoAudit, nil, 0), spi.ERROR_CALL_NOT_IMPLEMENTED)
	wantCode(t, "get audit", c.GetProviderInfo(guid(1), ProviderInfoAudit, nil, nil, 0), spi.ERROR_CALL_NOT_IMPLEMENTED)
	wantCode(t, "set unknown type", c.SetProviderInfo(guid(1), 2, got, 0), spi.WSAEINVAL)
	wantCode(t, "get unknown type", c.GetProviderInfo(guid(1), 2, got, &size, 0), spi.WSAEINVAL)
	wantCode(t, "set flags", c.SetProviderInfo(guid(1), ProviderInfoLspCategories, got, 1), spi.WSAEINVAL)
	wantCode(t, "get flags", c.GetProviderInfo(guid(1), ProviderInfoLspCategories, got, &size, 1), spi.WSAEINVAL)
	wantCode(t, "set unknown provider", c.SetProviderInfo(guid(9), ProviderInfoLspCategories, got, 0), spi.WSAEINVAL)
	wantCode(t, "set a base's", c.SetProviderInfo(kernelID, ProviderInfoLspCategories, got, 0), spi.WSAEINVAL)
	wantCode(t, "get unknown provider", c.GetProviderInfo(guid(9), ProviderInfoLspCategories, got, &size, 0), spi.WSAEINVALIDPROVIDER)
	wantCode(t, "set without data", c.SetProviderInfo(guid(1), ProviderInfoLspCategories, nil, 0), spi.WSAEFAULT)
	wantCode(t, "get without size", c.GetProviderInfo(guid(1), ProviderInfoLspCategories, got, nil, 0), spi.WSAEFAULT)
	size = 99
	wantCode(t, "get without buffer", c.GetProviderInfo(guid(1), ProviderInfoLspCategories, nil, &size, 0), spi.WSAEFAULT)
	if size != 4 {
		t.Errorf("size needed %d, want 4", size)
	}
	size = 3
	wantCode(t, "get into three bytes", c.GetProviderInfo(guid(1), ProviderInfoLspCategories, got, &size, 0), spi.WSAEFAULT)

	must(t, c.DeinstallProvider(guid(1)))
	if len(c.categories) != 0 {
		t.Error("categories outlived their layer")
	}
}

func TestTellsProgramsApart(t *testing.T) {
	c := layered(t)
	want := func(what string, apart bool) {
		t.Helper()
		if c.TellsProgramsApart() != apart {
			t.Errorf("%s: tells programs apart: %v", what, !apart)
		}
	}
	want("layers that treat all alike", false)
	must(t, c.InstallProviderAndChains(guid(3), "/lib/picky.so", "shared object", 0, nil, nil))
	want("a shared object", false)
	categories := c.Clone()
	must(t, c.InstallProviderAndChains(guid(4), "go:watch", "watch", 0, nil, nil))
	want("a layer that looks at the program", true)
	must(t, c.RemoveProvider(guid(4)))
	want("without that layer", false)
	c = categories
	must(t, c.SetApplicationCategory("/bin/foo", "", spi.LSP_SYSTEM, nil))
	want("categories of a program", true)
}

func TestApplicationCategoriesAdd(t *testing.T) {
	c := New()
	previous := uint32(1)
	must(t, c.SetApplicationCategory("/bin/foo", "-param", spi.LSP_SYSTEM, &previous))
	if previous != 0 {
		t.Errorf("previous %#x, want 0", previous)
	}
	must(t, c.SetApplicationCategory("/bin/foo", "-param", spi.LSP_REDIRECTOR, &previous))
	if previous != spi.LSP_SYSTEM {
		t.Errorf("previous %#x, want LSP_SYSTEM", previous)
	}
	var got uint32
	must(t, c.GetApplicationCategory("/bin/foo", "-param", &got))
	if got != spi.LSP_SYSTEM|spi.LSP_REDIRECTOR {
		t.Errorf("categories %#x: repeated sets add up", got)
	}
	wantCode(t, "other arguments", c.GetApplicationCategory("/bin/foo", "", &got), spi.WSASERVICE_NOT_FOUND)
	wantCode(t, "no path to get", c.GetApplicationCategory("", "", &got), spi.WSAEINVAL)
	wantCode(t, "nowhere to store", c.GetApplicationCategory("/bin/foo", "", nil), spi.WSAEFAULT)
	wantCode(t, "no path to set", c.SetApplicationCategory("", "", 1, nil), spi.WSAEINVAL)
	wantCode(t, "a NUL", c.SetApplicationCategory("/a\x00", "", 1, nil), spi.WSAEINVAL)

	t.Setenv("CATALOG_TEST_BIN", "/bin")
	must(t, c.SetApplicationCategory("%CATALOG_TEST_BIN%/bar", "", spi.LSP_PROXY, nil))
	for _, test := range []struct {
		path, extra string
		want        uint32
	}{
		{"/bin/foo", "-param", spi.LSP_SYSTEM | spi.LSP_REDIRECTOR},
		{"/bin/foo", "", 0},
		{"/bin/bar", "", spi.LSP_PROXY},
		{"/bin/bar", "-x", spi.LSP_PROXY},
		{"/bin/none", "", 0},
	} {
		if got := c.ApplicationCategories(test.path, test.extra); got != test.want {
			t.Errorf("%s %s may load %#x, want %#x", test.path, test.extra, got, test.want)
		}
	}
}

// The examples of Microsoft's page on categories, and the corners of its rule.
func TestMayLoad(t *testing.T) {
	const (
		system, firewall, crypto, inspector = uint32(spi.LSP_SYSTEM), spi.LSP_FIREWALL, spi.LSP_CRYPTO_COMPRESS, spi.LSP_INSPECTOR
		foo, bar                            = system | firewall | crypto, firewall | crypto
	)
	for _, test := range []struct {
		lsp, application uint32
		want             bool
	}{
		{system, foo, true}, {0, foo, false}, {firewall, foo, false}, {system | firewall | crypto | inspector, foo, false},
		{system, bar, false}, {0, bar, false}, {firewall, bar, true}, {system | firewall | crypto | inspector, bar, false},
		{system | crypto, foo, true}, {firewall | crypto, bar, true},
		{0, 0, true}, {system | inspector, 0, true},
	} {
		if got := MayLoad(test.lsp, test.application); got != test.want {
			t.Errorf("MayLoad(%v, %v) = %v", CategoryNames(test.lsp), CategoryNames(test.application), got)
		}
	}
}

func TestUsableStepsOverChainsThatMayNotLoad(t *testing.T) {
	c := layered(t)
	must(t, c.SetProviderInfo(guid(1), ProviderInfoLspCategories, dword(spi.LSP_FIREWALL), 0))
	firstFor := func(application uint32) uint32 {
		for _, e := range c.Entries() {
			if c.Usable(&e, application) {
				return e.CatalogEntryID
			}
		}
		return 0
	}
	if id := firstFor(0); id != 1009 {
		t.Errorf("an application without categories gets %d, want the topmost chain 1009", id)
	}
	if id := firstFor(spi.LSP_FIREWALL); id != 1006 {
		t.Errorf("one that permits firewalls gets %d, want 1006, the chain without slow", id)
	}
	if id := firstFor(spi.LSP_PROXY); id != 1001 {
		t.Errorf("one that permits proxies gets %d, want the base 1001", id)
	}
	layer, _ := c.Lookup(1005)
	if c.Usable(layer, 0) {
		t.Error("a bare layer is usable")
	}
}

func TestCategoryNames(t *testing.T) {
	names := CategoryNames(spi.LSP_SYSTEM | spi.LSP_PROXY | 0x4000)
	if !slices.Equal(names, []string{"SYSTEM", "PROXY", "0x4000"}) {
		t.Errorf("names %q", names)
	}
	got, err := ParseCategories([]string{"system", "PROXY", "0x4000"})
	if err != nil || got != spi.LSP_SYSTEM|spi.LSP_PROXY|0x4000 {
		t.Errorf("%#x, %v", got, err)
	}
	_, err = ParseCategories([]string{"FIREWAL"})
	wantMessage(t, "misspelt", err, "FIREWAL", "FIREWALL")
}

func TestExpandPath(t *testing.T) {
	t.Setenv("CATALOG_TEST_DIR", "/opt/x")
	for path, want := range map[string]string{
		"/plain":                    "/plain",
		"%CATALOG_TEST_DIR%/a.so":   "/opt/x/a.so",
		"%CATALOG_TEST_NONE%/a.so":  "%CATALOG_TEST_NONE%/a.so",
		"100%/%CATALOG_TEST_DIR%":   "100%//opt/x",
		"%CATALOG_TEST_DIR":         "%CATALOG_TEST_DIR",
		"go:x?a=%CATALOG_TEST_DIR%": "go:x?a=%CATALOG_TEST_DIR%",
	} {
		if got := ExpandPath(path); got != want {
			t.Errorf("ExpandPath(%q) = %q, want %q", path, got, want)
		}
	}
}
