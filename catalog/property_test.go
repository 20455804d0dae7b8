package catalog

import (
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"upcall.dev/spi"
)

// Any sequence of operations keeps the catalog's promises: ids are unique and
// never used twice, each provider has one path, a failed operation changes
// nothing, both enumerations show what they should, and the file holds all of
// it.
func TestOperationsKeepThePromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := New()
		owners := map[uint32]spi.GUID{} // every id ever seen
		do := func(t *rapid.T, operation func() spi.Errno) {
			before := c.Clone()
			known := idsOf(c)
			if code := operation(); code != 0 {
				if !reflect.DeepEqual(c, before) {
					t.Fatalf("failed with %v and changed the catalog", code)
				}
				return
			}
			for _, e := range c.Entries() {
				owner, seen := owners[e.CatalogEntryID]
				if seen && (owner != e.ProviderID || !slices.Contains(known, e.CatalogEntryID)) {
					t.Fatalf("id %d was used before", e.CatalogEntryID)
				}
				owners[e.CatalogEntryID] = e.ProviderID
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"install": func(t *rapid.T) {
				infos := rapid.SliceOfN(infoGenerator(), 0, 3).Draw(t, "infos")
				path := rapid.OneOf(rapid.Just("/x.so"), rapid.String()).Draw(t, "path")
				do(t, func() spi.Errno { return c.InstallProvider(drawGUID(t), path, infos) })
			},
			"install chains": func(t *rapid.T) {
				var over []spi.ProtocolInfo
				if rapid.Bool().Draw(t, "list") {
					over = rapid.SliceOfN(infoGenerator(), 0, 2).Draw(t, "over")
				}
				name := rapid.OneOf(rapid.StringMatching("[a-z]{1,3}"), rapid.String()).Draw(t, "name")
				flags := rapid.SampledFrom([]uint32{0, spi.XP1_IFS_HANDLES}).Draw(t, "flags")
				order := idsOf(c)
				do(t, func() spi.Errno {
					var id uint32
					code := c.InstallProviderAndChains(drawGUID(t), "/l.so", name, flags, over, &id)
					if code == 0 {
						checkInstalledChains(t, c, order, id, flags)
					}
					return code
				})
			},
			"deinstall": func(t *rapid.T) { do(t, func() spi.Errno { return c.DeinstallProvider(drawGUID(t)) }) },
			"remove":    func(t *rapid.T) { do(t, func() spi.Errno { return c.RemoveProvider(drawGUID(t)) }) },
			"update": func(t *rapid.T) {
				infos := rapid.SliceOfN(infoGenerator(), 0, 2).Draw(t, "infos")
				do(t, func() spi.Errno { return c.UpdateProvider(drawGUID(t), "/y.so", infos) })
			},
			"order": func(t *rapid.T) {
				ids := rapid.Permutation(idsOf(c)).Draw(t, "ids")
				do(t, func() spi.Errno { return c.WriteProviderOrder(ids) })
				if !slices.Equal(idsOf(c), ids) {
					t.Fatalf("order %v, want %v", idsOf(c), ids)
				}
			},
			"categories": func(t *rapid.T) {
				n := rapid.Uint32().Draw(t, "categories")
				do(t, func() spi.Errno { return c.SetProviderInfo(drawGUID(t), ProviderInfoLspCategories, dword(n), 0) })
			},
			"application": func(t *rapid.T) {
				path, extra := rapid.String().Draw(t, "path"), rapid.StringN(0, 2, -1).Draw(t, "extra")
				n := rapid.Uint32().Draw(t, "categories")
				do(t, func() spi.Errno { return c.SetApplicationCategory(path, extra, n, nil) })
			},
			"install namespace": func(t *rapid.T) {
				name := rapid.OneOf(rapid.StringMatching("[a-z]{0,3}"), rapid.String()).Draw(t, "name")
				space := rapid.SampledFrom([]uint32{spi.NS_ALL, spi.NS_DNS, 0xfffffff0}).Draw(t, "space")
				do(t, func() spi.Errno {
					return c.InstallNameSpace(name, "/n.so", space, rapid.Uint32().Draw(t, "version"), drawGUID(t))
				})
			},
			"uninstall namespace": func(t *rapid.T) {
				id := drawGUID(t)
				do(t, func() spi.Errno { return c.UnInstallNameSpace(id) })
				if _, there := c.LookupNamespace(id); there {
					t.Fatal("it is still there")
				}
			},
			"enable namespace": func(t *rapid.T) {
				id, on := drawGUID(t), rapid.Bool().Draw(t, "on")
				do(t, func() spi.Errno { return c.EnableNSProvider(id, on) })
				if n, there := c.LookupNamespace(id); there && n.Active != on {
					t.Fatal("it is not as it was told")
				}
			},
			"order namespaces": func(t *rapid.T) {
				ids := rapid.SliceOfN(rapid.Custom(drawGUID), 0, 3).Draw(t, "ids")
				if rapid.Bool().Draw(t, "all") && len(c.namespaces) > 0 {
					ids = rapid.Permutation(namespaceIDs(c)).Draw(t, "permutation")
				}
				do(t, func() spi.Errno {
					code := c.WriteNameSpaceOrder(ids)
					if code == 0 && !slices.Equal(namespaceIDs(c), ids) {
						t.Fatalf("order %v, want %v", namespaceIDs(c), ids)
					}
					return code
				})
			},
			"": func(t *rapid.T) {
				if seen := namespaceIDs(c); len(seen) != len(slices.Compact(slices.SortedFunc(slices.Values(seen), func(a, b spi.GUID) int { return int(a.Data1) - int(b.Data1) }))) {
					t.Fatalf("one namespace provider twice: %v", seen)
				}
				ids, paths := map[uint32]bool{}, map[spi.GUID]string{}
				visible := 0
				for _, e := range c.Entries() {
					if ids[e.CatalogEntryID] || e.CatalogEntryID < FirstID {
						t.Fatalf("id %d is there twice or was never handed out", e.CatalogEntryID)
					}
					ids[e.CatalogEntryID] = true
					if path, seen := paths[e.ProviderID]; seen && path != e.Path {
						t.Fatalf("provider %s has two paths", e.ProviderID)
					}
					paths[e.ProviderID] = e.Path
					if e.ProtocolChain.ChainLen != 0 && e.ProviderFlags&spi.PFL_HIDDEN == 0 {
						visible++
					}
				}
				if n := len(c.ClientProtocols()); n != visible {
					t.Fatalf("clients see %d entries, want %d", n, visible)
				}
				wantRoundTrip(t, c)
				c.Check()
			},
		})
	})
}

// checkInstalledChains checks what InstallProviderAndChains promises: chains
// first, the bare layer last, everything else where it was, and each chain
// over the first entry that served its sockets before.
func checkInstalledChains(t *rapid.T, c *Catalog, order []uint32, id uint32, flags uint32) {
	now := idsOf(c)
	chains := len(now) - len(order) - 1
	if chains < 1 || !slices.Equal(now[chains:len(now)-1], order) || now[len(now)-1] != id {
		t.Fatalf("order %v after %v: want chains first and layer %d last", now, order, id)
	}
	for _, e := range c.entries[:chains] {
		below := e.ProtocolChain.Entries()[1:]
		first := c.entries[chains+slices.IndexFunc(c.entries[chains:], func(o *Entry) bool {
			return !o.Layer() && keyOf(&o.ProtocolInfo) == keyOf(&e.ProtocolInfo)
		})]
		if e.ProtocolChain.ChainEntries[0] != id || !slices.Equal(below, chainIDs(first)) {
			t.Fatalf("chain %v, want %d over %v", e.ProtocolChain.Entries(), id, chainIDs(first))
		}
		if e.IFS() != (flags&spi.XP1_IFS_HANDLES != 0 && first.IFS()) || flags != 0 && !first.IFS() {
			t.Fatalf("chain with IFS %v over IFS %v, flags %#x", e.IFS(), first.IFS(), flags)
		}
	}
}

// With registered layers alone, whatever is installed and removed in whatever
// order, nothing is ever left that cannot work.
func TestLayersCanComeAndGo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := Default()
		installed := map[spi.GUID]bool{}
		t.Repeat(map[string]func(*rapid.T){
			"install": func(t *rapid.T) {
				l := Layer{Name: rapid.SampledFrom([]string{"pass", "slow"}).Draw(t, "layer")}
				id, err := c.InstallLayer(l)
				if err != nil {
					if e := c.Entries()[0]; e.ProtocolChain.ChainLen != spi.MaxProtocolChain {
						t.Fatal(err)
					}
					return
				}
				e, _ := c.Lookup(id)
				installed[e.ProviderID] = true
			},
			"remove": func(t *rapid.T) {
				if len(installed) == 0 {
					t.Skip("nothing installed")
				}
				ids := make([]spi.GUID, 0, len(installed))
				for _, e := range c.Entries() {
					if e.Layer() {
						ids = append(ids, e.ProviderID)
					}
				}
				id := rapid.SampledFrom(ids).Draw(t, "id")
				if code := c.RemoveProvider(id); code != 0 {
					t.Fatal(code)
				}
				delete(installed, id)
			},
			"": func(t *rapid.T) {
				if problems := c.Check(); len(problems) != 0 {
					t.Fatalf("%v\n%s", problems, outline(c))
				}
				for _, e := range c.Entries() {
					want := true
					for _, id := range e.ProtocolChain.Entries() {
						member, _ := c.Lookup(id)
						want = want && member.IFS()
					}
					if e.Chain() && e.IFS() != want {
						t.Fatalf("%s: IFS %v, want %v", e.Name(), e.IFS(), want)
					}
				}
			},
		})
	})
}

func idsOf(c *Catalog) []uint32 {
	ids := make([]uint32, 0, c.Len())
	for _, e := range c.entries {
		ids = append(ids, e.CatalogEntryID)
	}
	return ids
}

func namespaceIDs(c *Catalog) (ids []spi.GUID) {
	for _, n := range c.namespaces {
		ids = append(ids, n.ID)
	}
	return ids
}

func drawGUID(t *rapid.T) spi.GUID { return guid(rapid.IntRange(0, 4).Draw(t, "guid")) }

// infoGenerator makes entries of few kinds, so that they meet, with wild values
// in the fields that the catalog only stores.
func infoGenerator() *rapid.Generator[spi.ProtocolInfo] {
	return rapid.Custom(func(t *rapid.T) spi.ProtocolInfo {
		info := spi.ProtocolInfo{
			ServiceFlags1:     rapid.SampledFrom([]uint32{0, spi.XP1_IFS_HANDLES, 0xffffffff}).Draw(t, "flags"),
			ServiceFlags2:     rapid.Uint32().Draw(t, "flags2"),
			ProviderFlags:     rapid.SampledFrom([]uint32{0, spi.PFL_HIDDEN, 0xf0}).Draw(t, "pfl"),
			CatalogEntryID:    rapid.SampledFrom([]uint32{0, FirstID, FirstID + 1, 7}).Draw(t, "id"),
			Version:           rapid.Int32().Draw(t, "version"),
			AddressFamily:     rapid.SampledFrom([]int32{0, spi.AF_INET, -3}).Draw(t, "family"),
			MaxSockAddr:       rapid.Int32().Draw(t, "max"),
			SocketType:        rapid.Int32Range(0, 6).Draw(t, "type"),
			Protocol:          rapid.SampledFrom([]int32{0, spi.IPPROTO_TCP, -1}).Draw(t, "protocol"),
			ProtocolMaxOffset: rapid.Int32().Draw(t, "offset"),
			MessageSize:       rapid.Uint32().Draw(t, "message"),
			ProviderReserved:  rapid.Uint32().Draw(t, "reserved"),
		}
		info.ProtocolChain.ChainLen = rapid.SampledFrom([]int32{1, 1, 1, 0, 2, 7, 8, -1}).Draw(t, "length")
		for i := range info.ProtocolChain.ChainEntries {
			info.ProtocolChain.ChainEntries[i] = rapid.Uint32().Draw(t, "chain")
		}
		for i := range info.ProtocolName[:4] {
			info.ProtocolName[i] = rapid.Uint16().Draw(t, "name") // lone surrogates too
		}
		return info
	})
}
