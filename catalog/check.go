package catalog

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"upcall.dev/spi"
)

// Problem is something in a catalog that cannot work, or not as it was meant.
type Problem struct {
	EntryID uint32 `json:"entry_id,omitempty"` // 0 when it concerns a provider or the whole catalog
	Subject string `json:"subject"`            // what it is about, such as "entry 1005 (trace)"
	Text    string `json:"text"`               // what is wrong, then after a colon what to do
}

// String returns the problem on one line.
func (p Problem) String() string { return p.Subject + " " + p.Text }

const reinstall = `remove it and install it again ("upcall catalog remove", "install")`

// Check returns everything that is wrong with the catalog, in its order; none
// means that the DLL can use all of it. It looks for shared objects in the file
// system, and opens Go providers to have their options judged, but starts
// nothing.
func (c *Catalog) Check() []Problem {
	k := checker{c: c, byID: map[uint32]*Entry{}}
	for _, e := range c.entries {
		k.ids(e)
		if k.byID[e.CatalogEntryID] == nil {
			k.byID[e.CatalogEntryID] = e
		}
	}
	for _, e := range c.entries {
		k.entry(e)
		if e.Chain() {
			k.chain(e)
		}
	}
	k.providers()
	k.namespaces()
	if !slices.ContainsFunc(c.entries, (*Entry).Base) {
		k.add("the catalog", "has no base provider, so that no socket can be made: \"upcall catalog reset\" restores them")
	}
	return k.problems
}

// checker collects the problems of one catalog.
type checker struct {
	c        *Catalog
	byID     map[uint32]*Entry // the first entry of each id
	problems []Problem
}

func (k *checker) add(subject, format string, args ...any) {
	k.problems = append(k.problems, Problem{Subject: subject, Text: fmt.Sprintf(format, args...)})
}

func (k *checker) addEntry(e *Entry, format string, args ...any) {
	k.problems = append(k.problems, Problem{EntryID: e.CatalogEntryID, Subject: subject(e), Text: fmt.Sprintf(format, args...)})
}

func subject(e *Entry) string {
	return fmt.Sprintf("entry %d (%s)", e.CatalogEntryID, oneLine(e.Name()))
}

func (k *checker) ids(e *Entry) {
	if other := k.byID[e.CatalogEntryID]; other != nil {
		k.addEntry(e, "has the id of another entry, %q: give it one that is not used, and correct the chains that mean it", oneLine(other.Name()))
	}
}

// entry finds what is wrong with an entry by itself.
func (k *checker) entry(e *Entry) {
	if e.ServiceFlags1&spi.XP1_UNI_SEND != 0 && e.ServiceFlags1&spi.XP1_UNI_RECV != 0 {
		k.addEntry(e, "is both send-only and receive-only: leave out UNI_SEND or UNI_RECV, or both if it goes both ways")
	}
	if e.MinSockAddr > e.MaxSockAddr {
		k.addEntry(e, "has a shortest address of %d bytes and a longest of %d: exchange them", e.MinSockAddr, e.MaxSockAddr)
	}
	if e.ProtocolMaxOffset < 0 {
		k.addEntry(e, "has protocol_max_offset %d, so that no protocol matches it: use 0, or how many further numbers it serves", e.ProtocolMaxOffset)
	}
	if e.Layer() && !k.inSomeChain(e.CatalogEntryID) {
		k.addEntry(e, "is a layer that no chain runs through, so that it is never used: %s", reinstall)
	}
}

func (k *checker) inSomeChain(id uint32) bool {
	return slices.ContainsFunc(k.c.entries, func(e *Entry) bool {
		return slices.Contains(e.ProtocolChain.Entries(), id)
	})
}

// chain finds what is wrong with how a chain fits the entries it runs through.
func (k *checker) chain(e *Entry) {
	ids := e.ProtocolChain.Entries()
	if len(ids) == 0 {
		k.addEntry(e, "has a chain of %d entries: 2 to %d are possible", e.ProtocolChain.ChainLen, spi.MaxProtocolChain)
		return
	}
	layers := map[spi.GUID]*Entry{} // the first of each provider
	for i, id := range ids {
		member, ok := k.byID[id]
		if slices.Contains(ids[:i], id) {
			k.addEntry(e, "runs twice through entry %d: leave one out", id)
		} else if ok && member.Layer() {
			if other := layers[member.ProviderID]; other != nil {
				k.addEntry(e, "runs through %s and %s of one provider, which cannot be in a chain twice: leave one out", subject(other), subject(member))
			} else {
				layers[member.ProviderID] = member
			}
		}
		last := i == len(ids)-1
		switch {
		case !ok:
			k.addEntry(e, "runs through entry %d, which is not in the catalog: %s", id, reinstall)
		case last && !member.Base():
			k.addEntry(e, "ends in %s, which is not a base: end it in one, for it does the transport", subject(member))
		case !last && !member.Layer():
			k.addEntry(e, "runs through %s, which is not a layer: name the entry of the kind layer", subject(member))
		case e.IFS() && !member.IFS():
			k.addEntry(e, "promises IFS handles, but %s has none: leave out its IFS_HANDLES", subject(member))
		}
	}
	top, ok := k.byID[ids[0]]
	if !ok || !top.Layer() {
		return
	}
	if e.ProviderID != top.ProviderID {
		k.addEntry(e, "has provider %s, but its topmost layer is of %s, which then cannot find itself in the chain: use that", e.ProviderID, top.ProviderID)
	} else if e.Path != top.Path {
		k.addEntry(e, "is loaded from %q, but its topmost layer from %q: use that", oneLine(e.Path), oneLine(top.Path))
	}
}

// providers finds what is wrong with each provider's path and categories.
func (k *checker) providers() {
	seen := map[spi.GUID]bool{}
	for _, e := range k.c.entries {
		if seen[e.ProviderID] {
			continue
		}
		seen[e.ProviderID] = true
		subject := fmt.Sprintf("provider %s (%s)", e.ProviderID, oneLine(e.Path))
		if e.ProviderID == (spi.GUID{}) {
			k.add(subject, "has the id zero, which means none: give it one of its own")
		}
		if !validPath(e.Path) {
			k.add(subject, "has a path that is empty, not text, or longer than %d characters, which is all that other providers make room for: shorten it", MaxPath-1)
		}
		if k.c.categories[e.ProviderID] != 0 && !k.c.hasLayer(e.ProviderID) {
			k.add(subject, "has categories, which only layers have: leave them out")
		}
		k.code(subject, e)
	}
}

// sharedObject finds out whether a shared object can be had.
func (k *checker) sharedObject(subject, path string) {
	path = ExpandPath(path)
	if filepath.IsAbs(path) {
		if info, err := os.Stat(path); err != nil {
			k.add(subject, "cannot be loaded (%v): put the file there, or remove the provider", cause(err))
		} else if !info.Mode().IsRegular() {
			k.add(subject, "is not a file that can be loaded: name the shared object itself")
		}
	} else if strings.Contains(path, "%") {
		k.add(subject, "names an environment variable that is not set: set it, or write the whole path")
	} else if strings.ContainsRune(path, filepath.Separator) {
		k.add(subject, "has a path that is another file in each directory that a program is started in: write the whole path")
	}
}

// code finds out whether a provider's code can be had.
func (k *checker) code(subject string, e *Entry) {
	name, options, isGo, err := spi.ParseGoPath(e.Path)
	if !isGo {
		k.sharedObject(subject, e.Path)
		return
	}
	if err == nil {
		_, err = spi.OpenDriver(e.ProviderID, e.Path)
	}
	if err != nil {
		k.add(subject, "cannot be loaded (%s): correct its path, or remove the provider", oneLine(err.Error()))
		return
	}
	d, _ := spi.LookupDriver(name)
	for _, e := range k.c.ByProvider(e.ProviderID) {
		switch {
		case d.Layer() && e.Base():
			k.addEntry(e, "is a base, but %s is a layer: install it over a base instead", name)
		case !d.Layer() && !e.Base():
			k.addEntry(e, "is a %s, but %s is a base provider: it can only be the last of a chain", kindNames[kindOf(e)], name)
		case e.Layer() && e.IFS() && (d.IFS == nil || !d.IFS(options)):
			k.addEntry(e, "promises IFS handles, but %s makes its own with these options: leave out its IFS_HANDLES, here and in its chains", name)
		}
	}
}
