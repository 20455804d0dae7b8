package catalog

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"upcall.dev/spi"
)

// Each way to break a catalog is found, and only that.
func TestCheckFindsWhatAProviderAuthorCanBreak(t *testing.T) {
	// Ids of layered: 1001… bases, 1005 pass, 1006… its chains, 1008 slow,
	// 1009 slow over pass over TCP.
	change := func(id uint32, how func(*Entry)) func(*Catalog) {
		return func(c *Catalog) {
			for i, e := range c.entries {
				if e.CatalogEntryID == id {
					changed := *e
					how(&changed)
					c.entries[i] = &changed
					return
				}
			}
		}
	}
	move := func(provider spi.GUID, path string) func(*Catalog) {
		return func(c *Catalog) {
			for i, e := range c.entries {
				if e.ProviderID == provider {
					changed := *e
					changed.Path = path
					c.entries[i] = &changed
				}
			}
		}
	}
	for _, test := range []struct {
		name  string
		spoil func(*Catalog)
		id    uint32
		says  []string
	}{
		{"duplicate id", change(1007, func(e *Entry) { e.CatalogEntryID = 1006 }), 1006, []string{"another entry"}},
		{"dangling id", change(1009, func(e *Entry) { e.setChain([]uint32{1008, 4711, 1001}) }), 1009, []string{"entry 4711", "not in the catalog"}},
		{"chain into a chain", change(1009, func(e *Entry) { e.setChain([]uint32{1008, 1006, 1001}) }), 1009, []string{"entry 1006", "not a layer"}},
		{"chain without a base", change(1009, func(e *Entry) { e.setChain([]uint32{1008, 1005}) }), 1009, []string{"ends in entry 1005", "base"}},
		{"chain twice through one", change(1009, func(e *Entry) { e.setChain([]uint32{1008, 1008, 1001}) }), 1009, []string{"twice through entry 1008"}},
		{"chain twice through one provider", func(c *Catalog) {
			again := newEntry(guid(2), "go:slow?delay=20ms", &spi.ProtocolInfo{})
			again.CatalogEntryID = 1099
			c.entries = append(c.entries, again)
			change(1009, func(e *Entry) { e.setChain([]uint32{1008, 1005, 1099, 1001}) })(c)
		}, 1009, []string{"entry 1008 (slow)", "entry 1099", "one provider", "leave one out"}},
		{"chain too long", change(1009, func(e *Entry) { e.ProtocolChain.ChainLen = 8 }), 1009, []string{"8 entries", "2 to 7"}},
		{"chain of another provider", change(1009, func(e *Entry) { e.ProviderID = kernelID; e.Path = "go:kernel" }), 1009, []string{"topmost layer"}},
		{"chain from another path", change(1009, func(e *Entry) { e.Path = "go:slow" }), 1009, []string{`"go:slow"`, "delay=20ms"}},
		{"IFS over what is not", change(1009, func(e *Entry) { e.ServiceFlags1 |= spi.XP1_IFS_HANDLES }), 1009, []string{"IFS", "entry 1008"}},
		{"layer that lies about IFS", change(1008, func(e *Entry) { e.ServiceFlags1 |= spi.XP1_IFS_HANDLES }), 1008, []string{"IFS", "slow makes its own"}},
		{"layer without chains", func(c *Catalog) {
			c.entries = append(c.entries, newEntry(guid(1), "go:pass", &spi.ProtocolInfo{}))
			c.entries[len(c.entries)-1].CatalogEntryID = 1099
		}, 1099, []string{"no chain runs through"}},
		{"send-only and receive-only", change(1002, func(e *Entry) { e.ServiceFlags1 |= spi.XP1_UNI_SEND | spi.XP1_UNI_RECV }), 1002, []string{"UNI_SEND", "UNI_RECV"}},
		{"address lengths", change(1002, func(e *Entry) { e.MinSockAddr = 99 }), 1002, []string{"99", "16"}},
		{"protocol offset", change(1002, func(e *Entry) { e.ProtocolMaxOffset = -1 }), 1002, []string{"protocol_max_offset"}},
		{"unknown driver", move(guid(1), "go:past"), 0, []string{`"past"`, "pass"}},
		{"unknown option", move(guid(2), "go:slow?dely=1s"), 0, []string{`"dely"`, "delay"}},
		{"bad option value", move(guid(2), "go:slow?delay=soon"), 0, []string{"soon", "20ms"}},
		{"bad escape", move(guid(2), "go:slow?delay=%zz"), 0, []string{"options", "%zz"}},
		{"base driver as a layer", move(guid(2), "go:kernel"), 1009, []string{"kernel is a base provider"}},
		{"layer as a base", move(memoryID, "go:slow"), 1003, []string{"slow is a layer"}},
		{"missing shared object", move(memoryID, "/nonexistent/x.so"), 0, []string{"/nonexistent/x.so", "no such file"}},
		{"directory", move(memoryID, "/"), 0, []string{"not a file"}},
		{"unset variable", move(memoryID, "%CATALOG_TEST_UNSET%/x.so"), 0, []string{"environment variable"}},
		{"relative path", move(memoryID, "./x.so"), 0, []string{"./x.so", "whole path"}},
		{"long path", move(memoryID, strings.Repeat("x", MaxPath)), 0, []string{"longer than 259"}},
		{"zero provider id", change(1004, func(e *Entry) { e.ProviderID = spi.GUID{} }), 0, []string{"zero"}},
		{"categories of a base", func(c *Catalog) { c.categories[kernelID] = 1 }, 0, []string{"categories"}},
		{"no base", func(c *Catalog) { c.entries = nil }, 0, []string{"no base provider", "upcall catalog reset"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := layered(t)
			if problems := c.Check(); len(problems) != 0 {
				t.Fatalf("before anything is wrong: %v", problems)
			}
			test.spoil(c)
			problems := c.Check()
			found := false
			for _, p := range problems {
				line := p.String()
				if strings.ContainsAny(line, "\n\r") {
					t.Errorf("more than one line: %q", line)
				}
				if !strings.ContainsAny(line, ":;") {
					t.Errorf("no way out: %q", line)
				}
				all := p.EntryID == test.id
				for _, part := range test.says {
					all = all && strings.Contains(line, part)
				}
				found = found || all
			}
			if !found {
				t.Errorf("nothing about entry %d that says %q in %v", test.id, test.says, problems)
			}
		})
	}
}

func TestCheckAcceptsSharedObjects(t *testing.T) {
	object := filepath.Join(t.TempDir(), "x.so")
	if err := os.WriteFile(object, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CATALOG_TEST_DIR", filepath.Dir(object))
	for _, path := range []string{object, "%CATALOG_TEST_DIR%/x.so", "libx.so"} {
		c := New()
		must(t, c.InstallProvider(guid(1), path, []spi.ProtocolInfo{baseInfo("x", 50, 1, 1, 0)}))
		if problems := c.Check(); len(problems) != 0 {
			t.Errorf("%s: %v", path, problems)
		}
	}
}
