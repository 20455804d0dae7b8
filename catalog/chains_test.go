package catalog

import (
	"reflect"
	"strings"
	"testing"

	"upcall.dev/spi"
)

func TestDefaultPutsTheKernelFirst(t *testing.T) {
	const want = `1001 TCP/IP ifs
1002 UDP/IP ifs
1003 apart TCP
1004 apart RDM`
	if got := outline(Default()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestInstallProviderAndChainsStacks(t *testing.T) {
	c := Default()
	var passID, slowID uint32
	must(t, c.InstallProviderAndChains(guid(1), "go:pass", "pass", spi.XP1_IFS_HANDLES, nil, &passID))
	must(t, c.InstallProviderAndChains(guid(2), "go:slow", "slow", 0, nil, &slowID))
	const want = `1009 slow over [pass over [TCP/IP]] [1008 1005 1001]
1010 slow over [pass over [UDP/IP]] [1008 1005 1002]
1011 slow over [apart RDM] [1008 1004]
1006 pass over [TCP/IP] [1005 1001] ifs
1007 pass over [UDP/IP] [1005 1002] ifs
1001 TCP/IP ifs
1002 UDP/IP ifs
1003 apart TCP
1004 apart RDM
1005 pass ifs
1008 slow`
	if got := outline(c); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if passID != 1005 || slowID != 1008 {
		t.Errorf("bare layers %d and %d, want 1005 and 1008", passID, slowID)
	}
	for _, e := range c.ByProvider(guid(2)) {
		if e.Path != "go:slow" || e.Layer() != (e.CatalogEntryID == slowID) || e.Layer() && !e.Hidden() {
			t.Errorf("entry %d: %q, chain length %d", e.CatalogEntryID, e.Path, e.ProtocolChain.ChainLen)
		}
	}
	if problems := c.Check(); len(problems) != 0 {
		t.Errorf("Check: %v", problems)
	}
	chain, _ := c.Lookup(1009)
	if base, ok := c.BaseOf(chain); !ok || base.CatalogEntryID != 1001 {
		t.Errorf("BaseOf(1009) = %v, %v", base, ok)
	}
	if base, ok := c.BaseOf(base1001(c)); !ok || base.CatalogEntryID != 1001 {
		t.Error("BaseOf a base is not itself")
	}
	layer, _ := c.Lookup(passID)
	if _, ok := c.BaseOf(layer); ok {
		t.Error("a bare layer has a base")
	}
}

func base1001(c *Catalog) *Entry { e, _ := c.Lookup(1001); return e }

func TestInstallProviderAndChainsOverAList(t *testing.T) {
	c := Default()
	udp := baseInfo("ignored", spi.AF_INET, spi.SOCK_DGRAM, spi.IPPROTO_UDP, 0)
	must(t, c.InstallProviderAndChains(guid(1), "go:pass", "pass", spi.XP1_IFS_HANDLES, []spi.ProtocolInfo{udp, udp}, nil))
	if got := strings.Split(outline(c), "\n"); got[0] != "1006 pass over [UDP/IP] [1005 1002] ifs" || c.Len() != 6 {
		t.Errorf("got %q", got)
	}

	// An IFS layer is put over IFS entries only, and must not take the place of
	// a chain that it cannot stand on.
	rdm := baseInfo("", spi.AF_INET, spi.SOCK_RDM, 113, 0)
	wantCode(t, "IFS over non-IFS", c.InstallProviderAndChains(guid(3), "/x", "x", spi.XP1_IFS_HANDLES, []spi.ProtocolInfo{rdm}, nil), spi.WSAEINVAL)
	tcp := baseInfo("", spi.AF_INET, spi.SOCK_STREAM, spi.IPPROTO_TCP, 0)
	must(t, c.InstallProviderAndChains(guid(2), "go:slow", "slow", 0, []spi.ProtocolInfo{tcp}, nil))
	wantCode(t, "IFS over a non-IFS chain", c.InstallProviderAndChains(guid(3), "/x", "x", spi.XP1_IFS_HANDLES, []spi.ProtocolInfo{tcp}, nil), spi.WSAEINVAL)
}

func TestInstallProviderAndChainsCodes(t *testing.T) {
	c := layered(t)
	before := c.Clone()
	none := baseInfo("", 77, 1, 1, 0)
	longest := strings.Repeat("x", MaxProtocolName)
	for _, test := range []struct {
		name string
		id   spi.GUID
		path string
		lsp  string
		over []spi.ProtocolInfo
		want spi.Errno
	}{
		{"no id", spi.GUID{}, "/x", "x", nil, spi.WSAEINVAL},
		{"no path", guid(9), "", "x", nil, spi.WSAEINVAL},
		{"long path", guid(9), "/" + strings.Repeat("x", MaxPath-1), "x", nil, spi.WSAEINVAL},
		{"no name", guid(9), "/x", "", nil, spi.WSAEINVAL},
		{"long name", guid(9), "/x", longest + "x", nil, spi.WSAEINVAL},
		{"empty list", guid(9), "/x", "x", []spi.ProtocolInfo{}, spi.WSAEINVAL},
		{"an id that is there", guid(1), "/x", "x", nil, spi.WSAEINVAL},
		{"a name that is there", guid(9), "/x", "pass", nil, spi.WSAEINVAL},
		{"no match", guid(9), "/x", "x", []spi.ProtocolInfo{none}, spi.WSAEINVAL},
	} {
		id := uint32(4711)
		wantCode(t, test.name, c.InstallProviderAndChains(test.id, test.path, test.lsp, 0, test.over, &id), test.want)
		if id != 4711 {
			t.Errorf("%s stored an id", test.name)
		}
	}
	if !reflect.DeepEqual(c, before) {
		t.Error("a failed installation changed the catalog")
	}
	must(t, c.InstallProviderAndChains(guid(9), "/x", longest, 0, nil, nil))
	wantCode(t, "nothing to stand on", New().InstallProviderAndChains(guid(9), "/x", "x", 0, nil, nil), spi.WSANO_RECOVERY)

	c = Default()
	for n := 1; n < spi.MaxProtocolChain; n++ {
		must(t, c.InstallProviderAndChains(guid(n), "/x", strings.Repeat("x", n), 0, nil, nil))
	}
	if e := c.Entries()[0]; e.ProtocolChain.ChainLen != spi.MaxProtocolChain {
		t.Fatalf("the chain has %d entries", e.ProtocolChain.ChainLen)
	}
	before = c.Clone()
	wantCode(t, "a chain of eight", c.InstallProviderAndChains(guid(50), "/x", "y", 0, nil, nil), spi.WSANO_RECOVERY)
	if !reflect.DeepEqual(c, before) {
		t.Error("a failed installation changed the catalog")
	}
}

func TestDeinstallLeavesOtherChainsAndRemoveMendsThem(t *testing.T) {
	c := layered(t)
	must(t, c.Clone().DeinstallProvider(guid(1)))

	broken := c.Clone()
	must(t, broken.DeinstallProvider(guid(1)))
	chain, _ := broken.Lookup(1009)
	if got := chain.ProtocolChain.Entries(); !reflect.DeepEqual(got, []uint32{1008, 1005, 1001}) {
		t.Errorf("DeinstallProvider changed the chain above to %v", got)
	}
	if problems := broken.Check(); len(problems) != 2 || problems[0].EntryID != 1009 {
		t.Errorf("Check: %v", problems)
	}

	must(t, c.RemoveProvider(guid(1)))
	const want = `1009 slow over [TCP/IP] [1008 1001]
1010 slow over [UDP/IP] [1008 1002]
1011 slow over [apart RDM] [1008 1004]
1001 TCP/IP ifs
1002 UDP/IP ifs
1003 apart TCP
1004 apart RDM
1008 slow`
	if got := outline(c); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	must(t, c.RemoveProvider(memoryID))
	if _, there := c.Lookup(1011); there {
		t.Error("a chain outlived its base")
	}
	wantCode(t, "unknown id", c.RemoveProvider(guid(1)), spi.WSAEINVAL)

	// Without the layer between that had handles of its own, the chain has IFS
	// handles again.
	c = Default()
	must(t, c.InstallProviderAndChains(guid(2), "go:slow", "slow", 0, nil, nil))
	if _, err := c.InstallLayer(Layer{Name: "pass"}); err != nil {
		t.Fatal(err)
	}
	if e := c.Entries()[0]; e.IFS() || e.Name() != "pass over [slow over [TCP/IP]]" {
		t.Errorf("%s, IFS %v", e.Name(), e.IFS())
	}
	must(t, c.RemoveProvider(guid(2)))
	if e := c.Entries()[0]; !e.IFS() || e.Name() != "pass over [TCP/IP]" {
		t.Errorf("%s, IFS %v", e.Name(), e.IFS())
	}
	if problems := c.Check(); len(problems) != 0 {
		t.Errorf("Check: %v", problems)
	}
}

func TestCompose(t *testing.T) {
	base := layered(t)
	before := base.Clone()
	c, err := Compose(base, "", []Layer{{Name: "slow", Options: spi.Options{"delay": "20ms"}}, {Name: "pass"}, {Name: "pass"}})
	if err != nil {
		t.Fatal(err)
	}
	const want = `1021 slow over [pass 2 over [pass over [TCP/IP]]] [1020 1016 1012 1001]
1022 slow over [pass 2 over [pass over [UDP/IP]]] [1020 1016 1012 1002]
1023 slow over [pass 2 over [pass over [apart RDM]]] [1020 1016 1012 1004]
1017 pass 2 over [pass over [TCP/IP]] [1016 1012 1001] ifs
1018 pass 2 over [pass over [UDP/IP]] [1016 1012 1002] ifs
1019 pass 2 over [pass over [apart RDM]] [1016 1012 1004]
1013 pass over [TCP/IP] [1012 1001] ifs
1014 pass over [UDP/IP] [1012 1002] ifs
1015 pass over [apart RDM] [1012 1004]
1001 TCP/IP ifs
1002 UDP/IP ifs
1003 apart TCP
1004 apart RDM
1012 pass ifs
1016 pass 2 ifs
1020 slow`
	if got := outline(c); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if e := c.Entries()[0]; e.Path != "go:slow?delay=20ms" {
		t.Errorf("path %q", e.Path)
	}
	if problems := c.Check(); len(problems) != 0 {
		t.Errorf("Check: %v", problems)
	}
	if !reflect.DeepEqual(base, before) {
		t.Error("Compose changed its base")
	}

	c, err = Compose(base, "apart", nil)
	if err != nil || outline(c) != "1003 apart TCP\n1004 apart RDM" {
		t.Errorf("over apart: %v\n%s", err, outline(c))
	}
	must(t, base.RemoveProvider(memoryID))
	c, err = Compose(base, "apart", []Layer{{Name: "slow"}})
	if err != nil || c.Len() != 5 {
		t.Errorf("a base that is not in the catalog: %v\n%s", err, outline(c))
	}
}

func TestComposeErrors(t *testing.T) {
	eight := make([]Layer, spi.MaxProtocolChain)
	for i := range eight {
		eight[i].Name = "pass"
	}
	for _, test := range []struct {
		name    string
		over    string
		through []Layer
		want    []string
	}{
		{"unknown layer", "", []Layer{{Name: "sluw"}}, []string{`"sluw"`, "pass, slow"}},
		{"base as layer", "", []Layer{{Name: "kernel"}}, []string{"kernel is a base provider", "--over kernel"}},
		{"unknown option", "", []Layer{{Name: "slow", Options: spi.Options{"dely": "1s"}}}, []string{`"dely"`, "delay"}},
		{"bad value", "", []Layer{{Name: "slow", Options: spi.Options{"delay": "soon"}}}, []string{"soon", "20ms"}},
		{"unknown base", "kernal", nil, []string{`"kernal"`, "apart, kernel"}},
		{"layer as base", "slow", nil, []string{"slow is a layer", "--through slow"}},
		{"too many", "", eight, []string{"longer than 7", "fewer layers"}},
		{"options too long", "", []Layer{{Name: "slow", Options: spi.Options{"delay": strings.Repeat("1", 300)}}}, []string{"slow", "shorten"}},
	} {
		_, err := Compose(Default(), test.over, test.through)
		wantMessage(t, test.name, err, test.want...)
	}
	_, err := Compose(New(), "", nil)
	wantMessage(t, "no bases", err, "upcall catalog reset")
	_, err = New().InstallLayer(Layer{Name: "slow"})
	wantMessage(t, "nothing to stand on", err, "upcall catalog reset")
}

// wantMessage checks that an error is one line that says these things.
func wantMessage(t *testing.T, what string, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error", what)
		return
	}
	if strings.ContainsAny(err.Error(), "\n\r") {
		t.Errorf("%s: more than one line: %q", what, err)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%s: %q does not say %q", what, err, part)
		}
	}
}
