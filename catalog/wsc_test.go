package catalog

import (
	"reflect"
	"strings"
	"testing"

	"upcall.dev/spi"
)

func TestBehaviour072_EnumWithoutBufferTellsTheSize(t *testing.T) {
	c := layered(t)
	for name, enum := range enumerators(c) {
		n, _ := enum(nil, make([]spi.ProtocolInfo, 99), newLength(99*628))
		length := uint32(0)
		_, code := enum(nil, nil, &length)
		wantCode(t, name, code, spi.WSAENOBUFS)
		if length != uint32(n)*628 {
			t.Errorf("%s: length %d, want %d × 628", name, length, n)
		}
		_, code = enum(nil, nil, nil)
		wantCode(t, name+" without a length", code, spi.WSAEFAULT)
		_, code = enum(nil, nil, newLength(99*628))
		wantCode(t, name+" without the buffer that it says it has", code, spi.WSAEFAULT)
	}
}

func TestBehaviour073_EnumNeedsEveryByte(t *testing.T) {
	c := layered(t)
	for name, enum := range enumerators(c) {
		n, _ := enum(nil, make([]spi.ProtocolInfo, 99), newLength(99*628))
		buf := make([]spi.ProtocolInfo, n)
		length := uint32(n) * 628
		got, code := enum(nil, buf, &length)
		if got != n || code != 0 || length != uint32(n)*628 {
			t.Errorf("%s: %d, %v, length %d; want %d entries in just enough bytes", name, got, code, length, n)
		}
		length--
		_, code = enum(nil, buf, &length)
		wantCode(t, name+" one byte short", code, spi.WSAENOBUFS)
		if length != uint32(n)*628 {
			t.Errorf("%s: one byte short leaves length %d", name, length)
		}
	}
}

func TestBehaviour074_EnumFilters(t *testing.T) {
	c := layered(t)
	for name, enum := range enumerators(c) {
		buf := make([]spi.ProtocolInfo, 99)
		n, code := enum([]int32{spi.IPPROTO_TCP, 0, spi.IPPROTO_UDP}, buf, newLength(99*628))
		if n == 0 || code != 0 {
			t.Errorf("%s: %d, %v", name, n, code)
		}
		for _, info := range buf[:n] {
			if info.Protocol != spi.IPPROTO_TCP {
				t.Errorf("%s: protocol %d passed a filter for TCP", name, info.Protocol)
			}
		}
		n, code = enum([]int32{0}, nil, newLength(0))
		if n != 0 || code != 0 {
			t.Errorf("%s: the empty filter gives %d, %v; want none", name, n, code)
		}
	}
}

func TestBehaviour075_OnlyTheProviderViewShowsHiddenAndLayers(t *testing.T) {
	c := layered(t)
	hidden := baseInfo("hidden", 99, 1, 1, 0)
	hidden.ProviderFlags |= spi.PFL_HIDDEN
	must(t, c.InstallProvider(guid(9), "/lib/hidden.so", []spi.ProtocolInfo{hidden}))

	all := make([]spi.ProtocolInfo, 99)
	n, code := c.EnumProtocols(nil, all, newLength(99*628))
	must(t, code)
	layers, hiddens := 0, 0
	for _, info := range all[:n] {
		if info.ProtocolChain.ChainLen == 0 {
			layers++
		} else if info.ProviderFlags&spi.PFL_HIDDEN != 0 {
			hiddens++
		}
	}
	if n != c.Len() || layers != 2 || hiddens != 1 {
		t.Errorf("WSC view: %d of %d entries, %d layers, %d hidden; want all, 2, 1", n, c.Len(), layers, hiddens)
	}

	seen := make([]spi.ProtocolInfo, 99)
	n, code = c.EnumClientProtocols(nil, seen, newLength(99*628))
	must(t, code)
	if n != c.Len()-3 {
		t.Errorf("WSA view: %d entries, want %d", n, c.Len()-3)
	}
	if !reflect.DeepEqual(seen[:n], c.ClientProtocols()) {
		t.Error("ClientProtocols differs from EnumClientProtocols")
	}
	for _, info := range seen[:n] {
		if info.ProtocolChain.ChainLen == 0 || info.ProviderFlags&spi.PFL_HIDDEN != 0 {
			t.Errorf("WSA view shows %s", info.Name())
		}
	}
}

func TestBehaviour117_CodesOfInstallDeinstallOrder(t *testing.T) {
	c := Default()
	infos := []spi.ProtocolInfo{baseInfo("x", 50, 1, 1, 0)}
	must(t, c.InstallProvider(guid(1), "/lib/x.so", infos))
	wantCode(t, "installing an id twice", c.InstallProvider(guid(1), "/lib/x.so", infos), spi.WSANO_RECOVERY)
	wantCode(t, "deinstalling an unknown id", c.DeinstallProvider(guid(2)), spi.WSAEINVAL)

	var ids []uint32
	for _, e := range c.Entries() {
		ids = append([]uint32{e.CatalogEntryID}, ids...)
	}
	wantCode(t, "an order without one id", c.WriteProviderOrder(ids[1:]), spi.WSAEINVAL)
	wantCode(t, "an order with one id twice", c.WriteProviderOrder(append(ids[1:], ids[1])), spi.WSAEINVAL)
	wantCode(t, "an order with an unknown id", c.WriteProviderOrder(append(ids[1:], 5)), spi.WSAEINVAL)
	wantCode(t, "an order with one id too many", c.WriteProviderOrder(append(ids, ids[0])), spi.WSAEINVAL)
	must(t, c.WriteProviderOrder(ids))
	for i, e := range c.Entries() {
		if e.CatalogEntryID != ids[i] {
			t.Errorf("place %d has entry %d, want %d", i, e.CatalogEntryID, ids[i])
		}
	}
}

func TestInstallProviderGivesIDsAndNormalizes(t *testing.T) {
	c := New()
	info := baseInfo("a", 2, 1, 6, 0)
	info.CatalogEntryID = 4711
	info.ProviderID = guid(99)
	info.ProtocolChain.ChainEntries = [7]uint32{1, 2, 3}
	info.ProtocolName[200] = 'x'
	must(t, c.InstallProvider(guid(1), "%HOME%/a.so", []spi.ProtocolInfo{info, info}))
	entries := c.Entries()
	if entries[0].CatalogEntryID != FirstID || entries[1].CatalogEntryID != FirstID+1 {
		t.Errorf("ids %d, %d; want 1001, 1002", entries[0].CatalogEntryID, entries[1].CatalogEntryID)
	}
	e := entries[0]
	if e.ProviderID != guid(1) || e.ProtocolChain != (spi.ProtocolChain{ChainLen: 1}) || e.ProtocolName[200] != 0 {
		t.Errorf("not in the catalog's form: %v, %v", e.ProviderID, e.ProtocolChain)
	}
	must(t, c.DeinstallProvider(guid(1)))
	must(t, c.InstallProvider(guid(1), "/a.so", []spi.ProtocolInfo{info}))
	if id := c.Entries()[0].CatalogEntryID; id != FirstID+2 {
		t.Errorf("after deinstalling, a new entry gets id %d, want 1003: ids are not used twice", id)
	}
}

func TestInstallProviderCodes(t *testing.T) {
	infos := []spi.ProtocolInfo{baseInfo("x", 50, 1, 1, 0)}
	longest := "/" + strings.Repeat("é", MaxPath-2) // 259 WCHARs and a NUL
	bad := func(length int32) []spi.ProtocolInfo {
		info := infos[0]
		info.ProtocolChain.ChainLen = length
		return []spi.ProtocolInfo{info}
	}
	for _, test := range []struct {
		name  string
		id    spi.GUID
		path  string
		infos []spi.ProtocolInfo
		want  spi.Errno
	}{
		{"longest path", guid(1), longest, infos, 0},
		{"path too long", guid(1), longest + "x", infos, spi.WSAEINVAL},
		{"path outside the basic plane", guid(1), "/" + strings.Repeat("😀", MaxPath/2), infos, spi.WSAEINVAL},
		{"no path", guid(1), "", infos, spi.WSAEINVAL},
		{"path with a NUL", guid(1), "/a\x00b", infos, spi.WSAEINVAL},
		{"path that is not text", guid(1), "/a\xff", infos, spi.WSAEINVAL},
		{"no id", spi.GUID{}, "/x.so", infos, spi.WSAEINVAL},
		{"no list", guid(1), "/x.so", nil, spi.WSAEINVAL},
		{"empty list", guid(1), "/x.so", []spi.ProtocolInfo{}, spi.WSAEINVAL},
		{"chain too long", guid(1), "/x.so", bad(8), spi.WSAEINVAL},
		{"chain length negative", guid(1), "/x.so", bad(-1), spi.WSAEINVAL},
	} {
		wantCode(t, test.name, New().InstallProvider(test.id, test.path, test.infos), test.want)
	}

	c := New()
	c.nextID = 1<<32 - 1
	wantCode(t, "the last id", c.InstallProvider(guid(1), "/x.so", infos), 0)
	wantCode(t, "no ids left", c.InstallProvider(guid(2), "/x.so", infos), spi.WSANO_RECOVERY)
}

func TestUpdateProvider(t *testing.T) {
	c := layered(t)
	before := c.Entries()
	top := before[0] // slow over pass over TCP
	changed := top.ProtocolInfo
	changed.SetName("renamed")
	changed.ProviderID = guid(77)
	must(t, c.UpdateProvider(guid(2), "go:slow?delay=1s", []spi.ProtocolInfo{changed}))
	for i, e := range c.Entries() {
		if e.CatalogEntryID != before[i].CatalogEntryID || e.ProviderID != before[i].ProviderID {
			t.Fatalf("place %d: id or provider changed", i)
		}
		wantPath, wantName := before[i].Path, before[i].Name()
		if e.ProviderID == guid(2) {
			wantPath = "go:slow?delay=1s"
		}
		if e.CatalogEntryID == top.CatalogEntryID {
			wantName = "renamed"
		}
		if e.Path != wantPath || e.Name() != wantName {
			t.Errorf("entry %d: %q from %q, want %q from %q", e.CatalogEntryID, e.Name(), e.Path, wantName, wantPath)
		}
	}

	byKey := baseInfo("by key", spi.AF_INET, spi.SOCK_DGRAM, spi.IPPROTO_UDP, 0)
	must(t, c.UpdateProvider(kernelID, "go:kernel", []spi.ProtocolInfo{byKey}))
	if e := c.ByProvider(kernelID)[1]; e.Name() != "by key" || e.CatalogEntryID != FirstID+1 {
		t.Errorf("UDP is %d %q", e.CatalogEntryID, e.Name())
	}

	after := c.Clone()
	unknown := baseInfo("?", 50, 1, 1, 0)
	wantCode(t, "no match", c.UpdateProvider(kernelID, "go:kernel", []spi.ProtocolInfo{byKey, unknown}), spi.WSAEINVAL)
	wantCode(t, "unknown provider", c.UpdateProvider(guid(50), "/x", []spi.ProtocolInfo{byKey}), spi.WSAEINVAL)
	wantCode(t, "no infos", c.UpdateProvider(kernelID, "go:kernel", nil), spi.WSAEINVAL)
	wantCode(t, "no path", c.UpdateProvider(kernelID, "", []spi.ProtocolInfo{byKey}), spi.WSAEINVAL)
	if !reflect.DeepEqual(c, after) {
		t.Error("a failed update changed the catalog")
	}
}

func TestProviderPath(t *testing.T) {
	c := New()
	const path = "%HOME%/é.so"
	must(t, c.InstallProvider(guid(1), path, []spi.ProtocolInfo{baseInfo("x", 50, 1, 1, 0)}))
	buf := make([]uint16, MaxPath)
	length := int32(len(buf))
	must(t, c.ProviderPath(guid(1), buf, &length))
	if got := spi.UTF16ToString(buf); got != path || length != 12 || buf[11] != 0 {
		t.Errorf("%q, length %d; want it unexpanded, and 12 with its NUL", got, length)
	}
	for _, size := range []int32{11, 0, -5} {
		length = size
		wantCode(t, "small buffer", c.ProviderPath(guid(1), buf, &length), spi.WSAEFAULT)
		if length != 12 {
			t.Errorf("needed length %d, want 12", length)
		}
	}
	length = 300 // more than there is
	wantCode(t, "no buffer", c.ProviderPath(guid(1), nil, &length), spi.WSAEFAULT)
	wantCode(t, "no length", c.ProviderPath(guid(1), buf, nil), spi.WSAEFAULT)
	length = int32(len(buf))
	wantCode(t, "unknown id", c.ProviderPath(guid(2), buf, &length), spi.WSAEINVAL)
}

func TestLookupOutlivesChanges(t *testing.T) {
	c := Default()
	e, ok := c.Lookup(FirstID)
	if !ok || e.Name() != "TCP/IP" {
		t.Fatalf("Lookup(1001) = %v, %v", e, ok)
	}
	kept := *e
	must(t, c.UpdateProvider(kernelID, "/elsewhere", []spi.ProtocolInfo{baseInfo("new", spi.AF_INET, spi.SOCK_STREAM, spi.IPPROTO_TCP, 0)}))
	if *e != kept {
		t.Error("an entry that was looked up changed with the catalog")
	}
	if _, ok := c.Lookup(1); ok {
		t.Error("Lookup(1) found something")
	}
}

type enumerator = func([]int32, []spi.ProtocolInfo, *uint32) (int, spi.Errno)

func enumerators(c *Catalog) map[string]enumerator {
	return map[string]enumerator{"WSCEnumProtocols": c.EnumProtocols, "WSAEnumProtocols": c.EnumClientProtocols}
}

func newLength(n uint32) *uint32 { return &n }
