package catalog

import (
	"reflect"
	"strings"
	"testing"

	"upcall.dev/spi"
)

func TestEncodeIsForPeople(t *testing.T) {
	c := layered(t)
	must(t, c.SetProviderInfo(guid(1), ProviderInfoLspCategories, dword(spi.LSP_INSPECTOR), 0))
	must(t, c.SetApplicationCategory("/usr/bin/curl", "-k", spi.LSP_INSPECTOR|spi.LSP_PROXY, nil))
	text, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		"# The catalog of Upcall",
		"\nformat = 1\n",
		"\nnext_id = 1012\n",
		"\n[[provider]]\nid = '00000002-0000-0000-0100-000000000000'\npath = 'go:slow?delay=20ms'\n",
		"\npath = 'go:pass'\ncategories = ['INSPECTOR']\n",
		"\nkind = 'chain'\nchain = [1008, 1005, 1001]\nfamily = 'INET'\ntype = 'STREAM'\nprotocol = 'TCP'\n",
		"\nservice_flags = ['GUARANTEED_DELIVERY', 'IFS_HANDLES']\n",
		"\nprovider_flags = ['MATCHES_PROTOCOL_ZERO']\n",
		"\n[[application]]\npath = '/usr/bin/curl'\narguments = '-k'\ncategories = ['INSPECTOR', 'PROXY']\n",
		"\n[end]\n",
	} {
		if !strings.Contains(string(text), part) {
			t.Errorf("no %q in\n%s", part, text)
		}
	}
}

func TestParseTakesNumbersForNames(t *testing.T) {
	text := `format = 1
[[provider]]
id = "{00000001-0000-0000-0100-000000000000}"
path = "/x.so"
[[entry]]
id = 2000
name = "x"
provider = "00000001-0000-0000-0100-000000000000"
kind = "base"
family = 33
type = "1"
protocol = "0x84"
service_flags = ["IFS_HANDLES", "0x80000000"]
[end]
`
	c, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	e, ok := c.Lookup(2000)
	if !ok || e.AddressFamily != 33 || e.SocketType != spi.SOCK_STREAM || e.Protocol != 0x84 || e.ServiceFlags1 != spi.XP1_IFS_HANDLES|0x80000000 {
		t.Errorf("%+v", e)
	}
	must(t, c.InstallProvider(guid(2), "/y.so", []spi.ProtocolInfo{baseInfo("y", 1, 1, 1, 0)}))
	if id := c.Entries()[1].CatalogEntryID; id != 2001 {
		t.Errorf("the next id is %d, want one above every entry's", id)
	}
}

func TestParseSaysWhatIsWrong(t *testing.T) {
	const (
		provider = "[[provider]]\nid = '00000001-0000-0000-0100-000000000000'\npath = '/x.so'\n"
		entry    = "[[entry]]\nid = 1001\nname = 'x'\nprovider = '00000001-0000-0000-0100-000000000000'\n"
		whole    = "format = 1\n" + provider + entry + "kind = 'base'\n"
		end      = "[end]\n"
	)
	if _, err := Parse([]byte(whole + end)); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, text string
		says       []string
	}{
		{"no TOML", "format 1", []string{"line 1"}},
		{"unknown key", whole + "ifs = true\n" + end, []string{"line 10", "ifs"}},
		{"unknown flag", whole + "service_flags = ['IFS']\n" + end, []string{"line 10", `"IFS"`, "CONNECTIONLESS"}},
		{"unknown family", whole + "family = 'INET4'\n" + end, []string{"line 10", `"INET4"`, "INET6"}},
		{"unknown kind", "format = 1\n" + provider + entry + "kind = 'bass'\n" + end, []string{"line 9", `"bass"`, "base, layer or chain"}},
		{"kind by number", "format = 1\n" + provider + entry + "kind = 9\n" + end, []string{"entry 1001 (x)", "kind 9", "'layer'"}},
		{"no kind", "format = 1\n" + provider + entry + end, []string{"entry 1001 (x)", "kind"}},
		{"bad GUID", "format = 1\n[[provider]]\nid = '1234'\n" + end, []string{"line 3", "1234"}},
		{"negative id", strings.Replace(whole, "1001", "-1", 1) + end, []string{"line 6"}},
		{"no id", strings.Replace(whole, "id = 1001\n", "", 1) + end, []string{"no id"}},
		{"next id", "next_id = 4294967297\n" + whole + end, []string{"next_id"}},
		{"no such provider", "format = 1\n" + entry + "kind = 'base'\n" + end, []string{"entry 1001", "[[provider]]"}},
		{"two providers", "format = 1\n" + provider + provider + end, []string{"two [[provider]]"}},
		{"provider without path", strings.Replace(whole, "/x.so", "", 1) + end, []string{"path"}},
		{"provider without entry", "format = 1\n" + provider + end, []string{"no [[entry]]", "/x.so"}},
		{"chain of a base", whole + "chain = [1, 2]\n" + end, []string{"chain"}},
		{"chain of one", "format = 1\n" + provider + entry + "kind = 'chain'\nchain = [1]\n" + end, []string{"1 ids", "2 to 7"}},
		{"chain of eight", "format = 1\n" + provider + entry + "kind = 'chain'\nchain = [1,2,3,4,5,6,7,8]\n" + end, []string{"8 ids", "2 to 7"}},
		{"long name", strings.Replace(whole, "'x'", "'"+strings.Repeat("x", 256)+"'", 1) + end, []string{"255"}},
		{"application twice", whole + "[[application]]\npath='/a'\n[[application]]\npath='/a'\n" + end, []string{"two [[application]]", "/a"}},
		{"application without path", whole + "[[application]]\n" + end, []string{"path"}},
		{"too many applications", whole + strings.Repeat("[[application]]\npath='/a'\n", maxTables+1) + end, []string{"10001 [[application]]", "10000"}},
		{"cut off", whole, []string{"cut off", "[end]"}},
		{"wrong type", "format = 'one'\n" + end, []string{"line 1"}},
	} {
		_, err := Parse([]byte(test.text))
		wantMessage(t, test.name, err, test.says...)
	}
}

func FuzzParse(f *testing.F) {
	c := Default()
	_ = c.InstallProviderAndChains(guid(2), "go:slow?delay=20ms", "slow", 0, nil, nil)
	_ = c.SetApplicationCategory("/usr/bin/curl", "-k", spi.LSP_PROXY, nil)
	whole, err := c.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add([]byte("format = 1\n[end]\n"))
	f.Add([]byte("format = 1\n[[provider]]\nid='00000001-0000-0000-0100-000000000000'\npath=\"\\u0001\\n'\"\n[[entry]]\nid=4294967295\nname=\"\"\"\na\"\"\"\nprovider='00000001-0000-0000-0100-000000000000'\nkind='layer'\nfamily=-5\n[end]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := Parse(text)
		if err != nil {
			if err.Error() == "" || strings.ContainsAny(err.Error(), "\n\r") {
				t.Errorf("error %q is not one line", err)
			}
			return
		}
		wantRoundTrip(t, c)
		for _, p := range c.Check() {
			if strings.ContainsAny(p.String(), "\n\r") {
				t.Errorf("problem %q is not one line", p)
			}
		}
	})
}

func wantRoundTrip(t interface{ Fatalf(string, ...any) }, c *Catalog) {
	text, err := c.Encode()
	if err != nil {
		t.Fatalf("%v", err)
	}
	again, err := Parse(text)
	if err != nil {
		t.Fatalf("Parse refuses what Encode wrote: %v\n%s", err, text)
	}
	if !reflect.DeepEqual(plain(c), plain(again)) {
		t.Fatalf("the file has another catalog:\n%+v\n%+v\n%s", plain(c), plain(again), text)
	}
}

// plain is a catalog without pointers and without the difference between nil
// and empty.
func plain(c *Catalog) any {
	return struct {
		Entries        []Entry
		NextID, Serial uint64
		Categories     map[spi.GUID]uint32
		Applications   []application
	}{c.Entries(), c.nextID, c.serial, c.categories, append([]application{}, c.applications...)}
}
