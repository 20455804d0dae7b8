package provider

/*
#include "thunks.h"
#include "upcalls.h"
*/
import "C"

import (
	"reflect"
	"runtime/cgo"
	"sync"
	"unsafe"

	"upcall.dev/catalog"
	"upcall.dev/spi"
)

// module is a provider written in Go that C has loaded by its path. Which of the
// installed providers with this path it is, its WSPStartup tells.
type module struct {
	path   string
	opened int
}

// instance is a provider written in Go that C has started. Its number is what
// its thirty C functions know.
type instance struct {
	provider spi.Provider
	starts   int // those not undone; guarded by the table's lock
	points   []*pointer
}

// handed is the modules and instances that have a number.
var handed struct {
	mu        sync.RWMutex // a leaf lock; guards the rest
	modules   [C.UPCALL_INSTANCES]*module
	instances [C.UPCALL_INSTANCES]*instance
	// last is the number given last: one that is free again is given as late as
	// possible.
	lastModule, lastInstance int
}

// free returns the index of the first empty place after last, false if there is
// none.
func free[T any](places []*T, last int) (int, bool) {
	for i := range places {
		if n := (last + 1 + i) % len(places); places[n] == nil {
			return n, true
		}
	}
	return 0, false
}

// goModuleOpen is LoadLibrary of a provider written in Go. It returns the
// module's number, or -1 when there is no such provider, which standard error
// tells.
//
//export goModuleOpen
func goModuleOpen(path unsafe.Pointer) int32 {
	m := &module{path: C.GoString((*C.char)(path)), opened: 1}
	if err := checkPath(m.path); err != nil {
		tell("provider %s cannot be loaded: %v", m.path, err)
		return -1
	}
	handed.mu.Lock()
	defer handed.mu.Unlock()
	for i, other := range handed.modules {
		if other != nil && other.path == m.path {
			other.opened++
			return int32(i)
		}
	}
	i, ok := free(handed.modules[:], handed.lastModule)
	if !ok {
		tell("provider %s cannot be loaded: programs in C can have %d providers written in Go open, and this is one more", m.path, len(handed.modules))
		return -1
	}
	handed.modules[i], handed.lastModule = m, i
	return int32(i)
}

// checkPath tells what is wrong with the path of a provider written in Go.
func checkPath(path string) error {
	name, options, _, err := spi.ParseGoPath(path)
	if err != nil {
		return err
	}
	d, found := spi.LookupDriver(name)
	if !found {
		_, err := spi.OpenDriver(spi.GUID{}, path) // names those that there are
		return err
	}
	return d.CheckOptions(options)
}

// goModuleClose is FreeLibrary. What the module has started goes on.
//
//export goModuleClose
func goModuleClose(number int32) bool {
	handed.mu.Lock()
	defer handed.mu.Unlock()
	m := handed.modules[number]
	if m == nil {
		return false
	}
	m.opened--
	if m.opened == 0 {
		handed.modules[number] = nil
	}
	return true
}

// goModuleStart is a module's WSPStartup. upcalls is the table that C hands
// down, foreign which of its functions are not this package's, context the start
// of the C provider that calls, 0 outside one. It returns the number of the
// instance whose functions C gets.
//
//export goModuleStart
func goModuleStart(number int32, version uint16, data, info, upcalls unsafe.Pointer, foreign uint32, context uintptr) (started, e int32) {
	defer recovered("WSPStartup", &e)
	handed.mu.RLock()
	m := handed.modules[number]
	handed.mu.RUnlock()
	if m == nil {
		tell("WSPStartup was called of a provider written in Go that is not open any more")
		return 0, int32(spi.WSAEPROVIDERFAILEDINIT)
	}
	above := latest.Load()
	if context != 0 {
		above = cgo.Handle(context).Value().(*starting)
	}
	if above == nil {
		tell("provider %s cannot be started: only a layer that this process's DLL has started can start another provider", m.path)
		return 0, int32(spi.WSAEPROVIDERFAILEDINIT)
	}
	entry := *(*spi.ProtocolInfo)(info)
	startup, code := above.dll.LoadProvider(above.identify(m.path, &entry), m.path)
	if code != 0 {
		return 0, int32(code)
	}
	table := foreignTable(*above.upcalls, (*C.WSPUPCALLTABLE)(upcalls), foreign)
	p, code := startup(version, (*spi.WSPData)(data), &entry, table, above.dll)
	if code != 0 {
		return 0, int32(code)
	}
	if code := spi.CheckProvider(p); code != 0 {
		return 0, int32(code)
	}
	i, ok := give(p)
	if !ok {
		p.WSPCleanup()
		tell("provider %s cannot be started: programs in C can have %d providers written in Go started, and this is one more", m.path, len(handed.instances))
		return 0, int32(spi.WSAEPROVIDERFAILEDINIT)
	}
	return int32(i), 0
}

// give returns the number for a provider that was started: its own, if it has
// one.
func give(p spi.Provider) (number int, ok bool) {
	handed.mu.Lock()
	defer handed.mu.Unlock()
	if reflect.TypeOf(p).Comparable() {
		for i, other := range handed.instances {
			if other != nil && other.provider == p {
				other.starts++
				return i, true
			}
		}
	}
	i, ok := free(handed.instances[:], handed.lastInstance)
	if !ok {
		return 0, false
	}
	handed.instances[i], handed.lastInstance = &instance{provider: p, starts: 1}, i
	return i, true
}

// undo takes back one start.
func undo(number int32) {
	handed.mu.Lock()
	defer handed.mu.Unlock()
	x := handed.instances[number]
	if x == nil {
		return
	}
	x.starts--
	if x.starts == 0 {
		handed.instances[number] = nil
		releasePointers(x.points)
	}
}

// instanceOf returns the provider that a C function is of; nil when it has ended.
func instanceOf(number int32) spi.Provider {
	handed.mu.RLock()
	x := handed.instances[number]
	handed.mu.RUnlock()
	if x == nil {
		return nil
	}
	return x.provider
}

// identify returns under which id the provider with this path that a layer in C
// starts is installed: of the entries below the layer in the chain that it is
// started for, or of the entry itself, the first with the path. A path that is
// not in the catalog has the id of its driver.
func (s *starting) identify(path string, info *spi.ProtocolInfo) spi.GUID {
	entries := s.dll.WSCEnumProtocols()
	chain := info.ProtocolChain.Entries()
	if chain == nil {
		chain = []uint32{info.CatalogEntryID}
	}
	below := 0
	ids := make([]spi.GUID, len(chain))
	paths := make([]string, len(chain))
	for i, id := range chain {
		for j := range entries {
			if entries[j].CatalogEntryID == id {
				ids[i] = entries[j].ProviderID
				paths[i] = catalog.ExpandPath(s.pathOf(&ids[i]))
			}
		}
		if below == 0 && len(chain) > 1 && paths[i] == s.path {
			below = i + 1
		}
	}
	for i := below; i < len(chain); i++ {
		if paths[i] == path {
			return ids[i]
		}
	}
	for i := range entries {
		if catalog.ExpandPath(s.pathOf(&entries[i].ProviderID)) == path {
			return entries[i].ProviderID
		}
	}
	if name, _, ok, _ := spi.ParseGoPath(path); ok {
		if d, found := spi.LookupDriver(name); found && d.ProviderID != (spi.GUID{}) {
			return d.ProviderID
		}
	}
	return info.ProviderID
}

// pathOf returns the path that a provider is installed with.
func (s *starting) pathOf(id *spi.GUID) string {
	var length int32
	s.upcalls.WPUGetProviderPath(id, nil, &length)
	if length <= 0 {
		return ""
	}
	path := make([]uint16, length)
	if s.upcalls.WPUGetProviderPath(id, path, &length) != 0 {
		return ""
	}
	return spi.UTF16ToString(path)
}
