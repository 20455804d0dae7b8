package catalog

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"upcall.dev/spi"
)

func namespacesOf(t *testing.T) *Catalog {
	t.Helper()
	c := Default()
	must(t, c.InstallNameSpace("files", "/files.so", spi.NS_DNS, 1, guid(11)))
	must(t, c.InstallNameSpace("names", "/names.so", spi.NS_EMAIL, 2, guid(12)))
	return c
}

func TestNamespaceCodes(t *testing.T) {
	c := namespacesOf(t)
	long := strings.Repeat("x", MaxPath)
	for what, got := range map[string]spi.Errno{
		"no id":           c.InstallNameSpace("x", "/x", spi.NS_DNS, 1, spi.GUID{}),
		"no name":         c.InstallNameSpace("", "/x", spi.NS_DNS, 1, guid(13)),
		"long name":       c.InstallNameSpace(long, "/x", spi.NS_DNS, 1, guid(13)),
		"no path":         c.InstallNameSpace("x", "", spi.NS_DNS, 1, guid(13)),
		"long path":       c.InstallNameSpace("x", long, spi.NS_DNS, 1, guid(13)),
		"all namespaces":  c.InstallNameSpace("x", "/x", spi.NS_ALL, 1, guid(13)),
		"remove unknown":  c.UnInstallNameSpace(guid(13)),
		"enable unknown":  c.EnableNSProvider(guid(13), true),
		"order too short": c.WriteNameSpaceOrder([]spi.GUID{guid(11)}),
		"order twice":     c.WriteNameSpaceOrder([]spi.GUID{guid(11), guid(11)}),
		"order unknown":   c.WriteNameSpaceOrder([]spi.GUID{guid(11), guid(13)}),
	} {
		wantCode(t, what, got, spi.WSAEINVAL)
	}
	wantCode(t, "twice", c.InstallNameSpace("again", "/x", spi.NS_DNS, 1, guid(11)), spi.WSANO_RECOVERY)
	must(t, c.WriteNameSpaceOrder([]spi.GUID{guid(12), guid(11)}))
	must(t, c.EnableNSProvider(guid(11), false))
	want := []Namespace{{guid(12), "names", "/names.so", spi.NS_EMAIL, 2, true, ""}, {guid(11), "files", "/files.so", spi.NS_DNS, 1, false, ""}}
	if got := c.Namespaces(); !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestEnumNameSpaceProviders(t *testing.T) {
	c := namespacesOf(t)
	var length uint32
	_, code := c.EnumNameSpaceProviders(false, &length, nil)
	wantCode(t, "no room", code, spi.WSAEFAULT)
	buf := make([]byte, length)
	if n, code := c.EnumNameSpaceProviders(false, &length, buf); n != 2 || code != 0 {
		t.Fatalf("%d, %v", n, code)
	}
	short := length - 1
	_, code = c.EnumNameSpaceProviders(false, &short, buf)
	wantCode(t, "one byte short", code, spi.WSAEFAULT)
	if short != length {
		t.Errorf("needs %d, says %d", length, short)
	}
	_, code = c.EnumNameSpaceProviders(true, &length, buf)
	wantCode(t, "extended needs more", code, spi.WSAEFAULT)
	_, code = c.EnumNameSpaceProviders(true, nil, buf)
	wantCode(t, "no length", code, spi.WSAEFAULT)
}

func TestEnumNameSpaceProvidersGivesWhatWasInstalled(t *testing.T) {
	f := newFile(t)
	must(t, f.InstallNameSpaceEx("own", "/own.so", spi.NS_DNS, 3, guid(11), []byte("\x00\xffits own")))
	must(t, f.InstallNameSpace("nothing", "/x.so", spi.NS_EMAIL, 1, guid(12)))
	must(t, f.InstallNameSpaceEx("much", "/x.so", spi.NS_EMAIL, 1, guid(13), make([]byte, MaxProviderSpecific)))
	wantCode(t, "too much", f.InstallNameSpaceEx("x", "/x.so", spi.NS_DNS, 1, guid(14), make([]byte, MaxProviderSpecific+1)), spi.WSAEINVAL)
	var length uint32
	_, code := f.EnumNameSpaceProviders(true, &length, nil)
	wantCode(t, "no room", code, spi.WSAEFAULT)
	buf := make([]byte, length)
	n, code := f.EnumNameSpaceProviders(true, &length, buf)
	if code != 0 || n != 3 {
		t.Fatalf("%d, %v", n, code)
	}
	infos := unsafe.Slice((*spi.NamespaceInfoEx)(unsafe.Pointer(&buf[0])), n)
	for i, want := range []string{"\x00\xffits own", "", string(make([]byte, MaxProviderSpecific))} {
		if got := string(infos[i].ProviderSpecific.Bytes()); got != want {
			t.Errorf("%s has %q, want %q", spi.UTF16PtrToString(infos[i].Identifier), got, want)
		}
	}
	if infos[0].Version != 3 || infos[0].NSProviderID != guid(11) || infos[0].Active != 1 {
		t.Errorf("%+v", infos[0])
	}
}

func TestFileKeepsNamespaces(t *testing.T) {
	f := OpenFile(filepath.Join(t.TempDir(), "catalog.toml"))
	must(t, f.InstallNameSpace("files", "/files.so", spi.NS_DNS, 1, guid(11)))
	must(t, f.InstallNameSpace("others", "/others.so", 4711, 0, guid(12)))
	must(t, f.WriteNameSpaceOrder([]spi.GUID{guid(12), guid(11)}))
	must(t, f.EnableNSProvider(guid(11), false))
	wantCode(t, "unknown", f.UnInstallNameSpace(guid(13)), spi.WSAEINVAL)
	c, err := f.Load()
	if err != nil {
		t.Fatal(err)
	}
	want := []Namespace{{guid(12), "others", "/others.so", 4711, 0, true, ""}, {guid(11), "files", "/files.so", spi.NS_DNS, 1, false, ""}}
	if got := c.Namespaces(); !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	must(t, f.UnInstallNameSpace(guid(12)))
}

func TestParseRefusesBadNamespaces(t *testing.T) {
	const one = "[[namespace]]\nid = '00000001-0000-0000-0100-000000000000'\nname = 'x'\npath = '/x'\nnamespace = 'DNS'\n"
	for text, want := range map[string]string{
		one + one:                                 "two [[namespace]]",
		strings.Replace(one, "'x'", "''", 1):      "needs an id",
		strings.Replace(one, "'DNS'", "'DMS'", 1): "DNS, NETBT",
		strings.Replace(one, "'DNS'", "0", 1):     "needs an id",
		one + "provider_specific = 'x!'\n":        "not base64",
	} {
		if _, err := Parse([]byte("format = 1\n" + text + "[end]\n")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q in\n%s", err, want, text)
		}
	}
	if c, err := Parse([]byte("format = 1\n[end]\n")); err != nil || len(c.Namespaces()) != 0 {
		t.Errorf("a file of before: %v", err)
	}
}

func TestCheckTellsOfNamespaces(t *testing.T) {
	c := namespacesOf(t)
	must(t, c.InstallNameSpace("gone", "go:gone", spi.NS_DNS, 1, guid(13)))
	problems := c.Check()
	if len(problems) != 3 || !strings.Contains(problems[2].Text, `no namespace provider is called "gone"`) {
		t.Errorf("%v", problems)
	}
}
