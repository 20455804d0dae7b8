package profile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"upcall.dev/catalog"
	"upcall.dev/spi"
	_ "upcall.dev/standard"
)

const example = `
[profile.work]
through = ["trace:calls=connect,file=work.log", {layer = "filter", options = {rules = "/etc/r,1.toml"}, categories = ["FIREWALL"]}]
over = "kernel"
on-failure = "closed"
connect-timeout = "30s"
isolate = true
verbose = true

[profile.work.chains]
far = ["shape:delay=1ms", "trace"]

[[profile.work.application]]
program = ["/usr/bin/ssh", "git*"]
categories = ["FIREWALL", "proxy"]

[profile.direct]

[[application]]
program = "ssh*"
profile = "direct"

[[application]]
program = ["/opt/*/bin/*", "firefox"]
profile = "work"
`

func TestParse(t *testing.T) {
	f, err := Parse([]byte(example), "/home/you/.config/upcall")
	if err != nil {
		t.Fatal(err)
	}
	p := f.Profiles["work"]
	if p == nil || len(p.Through) != 2 || p.Over != "kernel" || p.OnFailure != "closed" || p.ConnectTimeout != 30*time.Second || !p.Isolate || !p.Verbose {
		t.Fatalf("%+v", p)
	}
	if got, want := p.Through[0].String(), "trace:calls=connect,file=/home/you/.config/upcall/work.log"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if l := p.Through[1]; l.Options["rules"] != "/etc/r,1.toml" || l.Categories[0] != "FIREWALL" {
		t.Errorf("%+v", l)
	}
	if l := p.Chains["far"]; len(l) != 2 || l[0].Name != "shape" {
		t.Errorf("%+v", l)
	}
	for program, want := range map[string]string{
		"/usr/bin/ssh-add": "direct", "/opt/x/bin/y": "work", "/opt/x/y/bin/z": "", "/usr/lib/firefox": "work", "": "", "/usr/bin/curl": "",
	} {
		got := ""
		if p := f.Choose(program); p != nil {
			got = p.Name
		}
		if got != want {
			t.Errorf("%s gets %q, want %q", program, got, want)
		}
	}
	if _, err := f.Lookup("home"); err == nil || !strings.Contains(err.Error(), `there is no profile "home"`) || !strings.Contains(err.Error(), "choose one of direct, work") {
		t.Error(err)
	}
}

func TestMistakes(t *testing.T) {
	for text, want := range map[string]string{
		"[profile.a]\nthrough = ['nobody']":                            `line 2: no layer is called "nobody": choose one of `,
		"[profile.a]\nthrough = ['shape:speed=1']":                     `line 2: shape has no option "speed": choose from `,
		"[profile.a]\nthrough = ['shape:rate=1MB,rate=2MB']":           `line 2: shape is given rate=1MB and rate=2MB: leave one out`,
		"[profile.a]\nthrough = ['kernel']":                            `line 2: no layer is called "kernel"`,
		"[profile.a]\nthrough = [{layer='shape',options={speed='1'}}]": `profile "a": through: shape has no option "speed"`,
		"[profile.a]\nthrough = [{layer='x'}]":                         `profile "a": through: no layer is called "x"`,
		"[profile.a]\nthrough = [{options={}}]":                        `profile "a": through: a layer has no name`,
		"[profile.a]\nthrough = [{layer='trace',categories=['X']}]":    `profile "a": through: `,
		"[profile.a]\nthrogh = []":                                     `line 2: there is no key "profile.a.throgh"`,
		"[profile.a]\nover = 'trace'":                                  `line 2: no base provider is called "trace": choose one of kernel, memory`,
		"[profile.a]\non-failure = 'ajar'":                             `line 2: "ajar" is not known: choose closed, to run nothing without its chain, or open`,
		"[profile.a]\nconnect-timeout = '0s'":                          `line 2: "0s" is no time to connect`,
		"[profile.a]\nisolate = 'yes'":                                 `line 2: `,
		"[profile.'a b']":                                              `profile "a b": a name has letters`,
		"[profile.a.chains]\nx = []":                                   `profile "a": chains: x has no layer`,
		"[profile.a.chains]\n'x y' = ['trace']":                        `profile "a": chains: "x y": a name has letters`,
		"[[profile.a.application]]\nprogram='x'":                       `profile "a": application number 1: name its program and its categories`,
		"[[profile.a.application]]\nprogram='x'\ncategories=['Y']":     `line 3: `,
		"[[application]]\nprogram='x'\nprofile='a'":                    `[[application]] number 1: there is no profile "a"`,
		"[profile.a]\n[[application]]\nprofile='a'":                    `[[application]] number 1: name its program`,
		"[profile.a]\n[[application]]\nprogram='./x'\nprofile='a'":     `line 3: "./x" is no whole path`,
		"[profile.a]\n[[application]]\nprogram='/x/**'\nprofile='a'":   `line 3: "/x/**": ** means nothing here`,
		"[profile.a]\n[[application]]\nprogram='[a'\nprofile='a'":      `line 3: "[a" is no glob`,
		"[profile.a\n": `line 1: `,
	} {
		_, err := Parse([]byte(text), "/")
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	path := PathBeside(filepath.Join(dir, "catalog.toml"))
	if f, err := Load(path); err != nil || len(f.Profiles) != 0 {
		t.Errorf("a missing file: %v, %v", f, err)
	}
	if f, err := Load(PathBeside("")); err != nil || len(f.Profiles) != 0 {
		t.Errorf("no home: %v, %v", f, err)
	}
	if err := os.WriteFile(path, []byte(example), 0o600); err != nil {
		t.Fatal(err)
	}
	if f, err := Load(path); err != nil || len(f.Profiles) != 2 {
		t.Errorf("%v, %v", f, err)
	}
	if err := os.Chmod(path, 0o620); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil || err.Error() != "profiles "+path+": can be written by others (mode 0620): read it, then chmod go-w it" {
		t.Error(err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("x = 1"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil || err.Error() != "profiles "+path+`: line 1: there is no key "x"; mend it, nothing of it is used until then` {
		t.Error(err)
	}
}

// names returns the chain of the first entry for TCP over IPv4.
func first(c *catalog.Catalog) []string {
	for _, e := range c.Entries() {
		if e.AddressFamily == spi.AF_INET && e.SocketType == spi.SOCK_STREAM {
			var names []string
			for _, id := range e.ProtocolChain.Entries() {
				if member, ok := c.Lookup(id); ok && e.Chain() {
					names = append(names, member.Name())
				}
			}
			if names == nil {
				names = []string{e.Name()}
			}
			return names
		}
	}
	return nil
}

func TestCatalog(t *testing.T) {
	program := filepath.Join(t.TempDir(), "git-x")
	if err := os.WriteFile(program, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", "/nonexistent:relative:"+filepath.Dir(program))
	installed := catalog.Default()
	if _, err := installed.InstallLayer(catalog.Layer{Name: "trace"}); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		p    Profile
		want string
	}{
		"nothing": {Profile{}, "trace Linux TCP/IPv4"},
		"through": {Profile{Through: []Layer{{Name: "shape", Categories: []string{"FIREWALL"}}, {Name: "trace"}}}, "shape trace Linux TCP/IPv4"},
		"over":    {Profile{Over: "memory"}, "Memory stream, IPv4"},
		"filter":  {Profile{Through: []Layer{{Name: "shape", Categories: []string{"FIREWALL"}}, {Name: "filter"}}}, "shape filter Linux TCP/IPv4"},
		"chains":  {Profile{Through: []Layer{{Name: "shape", Categories: []string{"FIREWALL"}}}, Over: "memory", Chains: map[string][]Layer{"far": {{Name: "trace"}, {Name: "shape"}}}}, "shape 2 Memory stream, IPv4"},
	} {
		t.Run(name, func(t *testing.T) {
			test.p.Applications = []Application{{Programs: []Glob{"/bin/x", "git*"}, Categories: []string{"PROXY"}}, {Programs: []Glob{"/bin/x"}, Categories: []string{"FIREWALL"}}}
			c, err := test.p.Catalog(installed)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(first(c), " "); got != test.want {
				t.Errorf("the first is %s, want %s", got, test.want)
			}
			for _, problem := range c.Check() {
				t.Error(problem)
			}
			for _, path := range []string{"/bin/x", program} {
				if got := catalog.CategoryNames(c.ApplicationCategories(path, "")); len(got) != 1 || got[0] != "PROXY" {
					t.Errorf("%s permits %v", path, got)
				}
			}
			if name == "chains" {
				far := ""
				for _, e := range c.Entries() {
					if top, ok := c.Lookup(e.ProtocolChain.ChainEntries[0]); ok && e.Chain() && top.Name() == "far" {
						far += e.Name() + "\n"
					}
				}
				if strings.Count(far, "\n") != 4 || !strings.Contains(far, "trace over [shape over [Memory stream, IPv4]]") && !strings.Contains(far, "shape over [Memory stream, IPv4]") {
					t.Errorf("chains far are %s", far)
				}
			}
			for _, id := range bareLayers(c) {
				var bits [4]byte
				size := uintptr(4)
				e := c.ByProvider(id)[0]
				if code := c.GetProviderInfo(id, catalog.ProviderInfoLspCategories, bits[:], &size, 0); code != 0 {
					t.Fatal(code)
				}
				driver, _, _, _ := spi.ParseGoPath(e.Path)
				outermost := driver == "shape" && (name != "chains" || first(c)[0] == bareName(c, id))
				if outermost != (bits[0] == spi.LSP_FIREWALL) {
					t.Errorf("%s has categories %v", bareName(c, id), bits)
				}
			}
		})
	}
	if _, err := (&Profile{Name: "a", Chains: map[string][]Layer{"b": nil}}).Catalog(installed); err == nil {
		t.Error("chains that nothing goes to")
	}
	if _, err := (&Profile{Through: []Layer{{Name: "filter"}}, Over: "nobody"}).Catalog(installed); err == nil || !strings.Contains(err.Error(), `no base provider is called "nobody"`) {
		t.Error(err)
	}
}

func bareName(c *catalog.Catalog, id spi.GUID) string {
	for _, e := range c.ByProvider(id) {
		if e.Layer() {
			return e.Name()
		}
	}
	return ""
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(example))
	f.Add([]byte("[profile.a]\nthrough=[{layer='trace'},'shape:rate=1MB']\n"))
	f.Add([]byte("[[application]]\nprogram=['x','/*']\nprofile='a'\n[profile.a.chains]\nb=['trace']"))
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := Parse(text, "/home/you")
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\r\x00") {
				t.Errorf("more than one line: %q", err)
			}
			return
		}
		file.Choose("/usr/bin/curl")
	})
}
