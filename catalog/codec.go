package catalog

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"upcall.dev/spi"
)

const (
	fileFormat = 1
	maxTables  = 10_000 // entries, providers or applications in one file
)

const fileHeader = `# The catalog of Upcall: which socket providers are installed, and in which order
# they are tried. Programs read it when they start.
#
# "upcall catalog list" shows it, "install", "remove" and "order" change it. You
# may also edit it here (your comments last until the next change by upcall);
# "upcall catalog check" then says whether it is right, and "upcall catalog
# reset" puts the original back and keeps this one.
#
#   [[provider]]     what is loaded: "go:NAME?OPTION=VALUE" or a shared object's path
#   [[entry]]        what programs can use, the first that matches wins:
#                    kind = 'base'   a transport
#                    kind = 'layer'  stands for a layer, chains name it
#                    kind = 'chain'  entry ids, topmost layer first, base last
#   [[namespace]]    what looks names up, asked in this order
#   [[application]]  which categories of layers a program may load
#   [end]            must come last: it shows that the file is whole

`

// document is the file.
type document struct {
	Format       int                `toml:"format"`
	Serial       uint64             `toml:"serial" comment:"counts the changes made by upcall"`
	NextID       uint64             `toml:"next_id" comment:"the id of the next new entry; ids are never used twice"`
	Providers    []providerTable    `toml:"provider,omitempty"`
	Entries      []entryTable       `toml:"entry,omitempty"`
	Namespaces   []namespaceTable   `toml:"namespace,omitempty"`
	Applications []applicationTable `toml:"application,omitempty"`
	End          *struct{}          `toml:"end"`
}

type providerTable struct {
	ID         spi.GUID   `toml:"id"`
	Path       string     `toml:"path"`
	Categories []category `toml:"categories,omitempty"`
}

type entryTable struct {
	ID                uint32         `toml:"id"`
	Name              string         `toml:"name"`
	Provider          spi.GUID       `toml:"provider"`
	Kind              kind           `toml:"kind"`
	Chain             []uint32       `toml:"chain,omitempty"`
	Family            family         `toml:"family,omitempty"`
	Type              socketType     `toml:"type,omitempty"`
	Protocol          protocol       `toml:"protocol,omitempty"`
	ProtocolMaxOffset int32          `toml:"protocol_max_offset,omitempty"`
	MinSockAddr       int32          `toml:"min_sockaddr,omitempty"`
	MaxSockAddr       int32          `toml:"max_sockaddr,omitempty"`
	MessageSize       uint32         `toml:"message_size,omitempty"`
	ServiceFlags      []serviceFlag  `toml:"service_flags,omitempty"`
	ServiceFlags2     uint32         `toml:"service_flags2,omitempty"`
	ServiceFlags3     uint32         `toml:"service_flags3,omitempty"`
	ServiceFlags4     uint32         `toml:"service_flags4,omitempty"`
	ProviderFlags     []providerFlag `toml:"provider_flags,omitempty"`
	Version           int32          `toml:"version,omitempty"`
	NetworkByteOrder  int32          `toml:"network_byte_order,omitempty"`
	SecurityScheme    int32          `toml:"security_scheme,omitempty"`
	ProviderReserved  uint32         `toml:"provider_reserved,omitempty"`
}

type applicationTable struct {
	Path       string     `toml:"path"`
	Arguments  string     `toml:"arguments,omitempty"`
	Categories []category `toml:"categories"`
}

type namespaceTable struct {
	ID        spi.GUID  `toml:"id"`
	Name      string    `toml:"name"`
	Path      string    `toml:"path"`
	Namespace nameSpace `toml:"namespace"`
	Version   uint32    `toml:"version,omitempty"`
	Inactive  bool      `toml:"inactive,omitempty"`

	ProviderSpecific string `toml:"provider_specific,omitempty"` // base64
}

// Values that the file has by name. Parsing them as text gives their errors a
// line number.
type (
	kind         int32
	family       int32
	socketType   int32
	protocol     int32
	serviceFlag  uint32
	providerFlag uint32
	category     uint32
	nameSpace    uint32
)

const (
	kindMissing kind = iota
	kindBase
	kindLayer
	kindChain
)

var kindNames = [...]string{kindBase: "base", kindLayer: "layer", kindChain: "chain"}

func (k kind) MarshalText() ([]byte, error) { return []byte(kindNames[k]), nil }

func (k *kind) UnmarshalText(text []byte) error {
	for i, name := range kindNames {
		if name != "" && name == string(text) {
			*k = kind(i)
			return nil
		}
	}
	return fmt.Errorf("%q is not a kind: use base, layer or chain", text)
}

func (f family) MarshalText() ([]byte, error)     { return []byte(FamilyName(int32(f))), nil }
func (t socketType) MarshalText() ([]byte, error) { return []byte(SocketTypeName(int32(t))), nil }
func (p protocol) MarshalText() ([]byte, error)   { return []byte(ProtocolName(int32(p))), nil }

func (n nameSpace) MarshalText() ([]byte, error) { return []byte(NamespaceName(uint32(n))), nil }

func (n *nameSpace) UnmarshalText(text []byte) error {
	value, err := parseNumber(namespaceNames, string(text))
	*n = nameSpace(value)
	return err
}

func (f *family) UnmarshalText(text []byte) error     { return setNumber(f, familyNames, text) }
func (t *socketType) UnmarshalText(text []byte) error { return setNumber(t, typeNames, text) }
func (p *protocol) UnmarshalText(text []byte) error   { return setNumber(p, protocolNames, text) }

func setNumber[T ~int32](into *T, table []number, text []byte) error {
	value, err := parseNumber(table, string(text))
	*into = T(value)
	return err
}

func (f serviceFlag) MarshalText() ([]byte, error)  { return bitText(serviceFlagNames, uint32(f)) }
func (f providerFlag) MarshalText() ([]byte, error) { return bitText(providerFlagNames, uint32(f)) }
func (c category) MarshalText() ([]byte, error)     { return bitText(categoryNames, uint32(c)) }

func (f *serviceFlag) UnmarshalText(text []byte) error  { return setBit(f, serviceFlagNames, text) }
func (f *providerFlag) UnmarshalText(text []byte) error { return setBit(f, providerFlagNames, text) }
func (c *category) UnmarshalText(text []byte) error     { return setBit(c, categoryNames, text) }

func bitText(table []bitName, flag uint32) ([]byte, error) {
	return []byte(strings.Join(bitNames(table, flag), "")), nil
}

func setBit[T ~uint32](into *T, table []bitName, text []byte) error {
	bit, err := parseBit(table, string(text))
	*into = T(bit)
	return err
}

// splitBits returns the named flags of a set, and those without a name as one.
func splitBits[T ~uint32](table []bitName, flags uint32) []T {
	var bits []T
	for _, b := range table {
		if flags&b.bit != 0 {
			bits = append(bits, T(b.bit))
			flags &^= b.bit
		}
	}
	if flags != 0 {
		bits = append(bits, T(flags))
	}
	return bits
}

func joinBits[T ~uint32](bits []T) uint32 {
	var flags uint32
	for _, b := range bits {
		flags |= uint32(b)
	}
	return flags
}

// Encode returns the catalog in the form of its file.
func (c *Catalog) Encode() ([]byte, error) {
	doc := document{Format: fileFormat, Serial: c.serial, NextID: c.nextID, End: &struct{}{}}
	seen := map[spi.GUID]bool{}
	for _, e := range c.entries {
		if !seen[e.ProviderID] {
			seen[e.ProviderID] = true
			doc.Providers = append(doc.Providers, providerTable{
				ID: e.ProviderID, Path: e.Path,
				Categories: splitBits[category](categoryNames, c.categories[e.ProviderID]),
			})
		}
		doc.Entries = append(doc.Entries, encodeEntry(e))
	}
	for _, a := range c.applications {
		doc.Applications = append(doc.Applications, applicationTable{
			Path: a.path, Arguments: a.extra, Categories: splitBits[category](categoryNames, a.categories),
		})
	}
	for _, n := range c.namespaces {
		doc.Namespaces = append(doc.Namespaces, namespaceTable{
			ID: n.ID, Name: n.Identifier, Path: n.Path, Namespace: nameSpace(n.NameSpace), Version: n.Version, Inactive: !n.Active,
			ProviderSpecific: base64.StdEncoding.EncodeToString([]byte(n.ProviderSpecific)),
		})
	}
	if err := doc.tooMany(); err != nil {
		return nil, err
	}
	text, err := toml.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("the catalog cannot be written as text: %w", err)
	}
	return append([]byte(fileHeader), text...), nil
}

// tooMany bounds the time that a file can take to read and to check.
func (d *document) tooMany() error {
	for name, n := range map[string]int{"entry": len(d.Entries), "provider": len(d.Providers), "application": len(d.Applications), "namespace": len(d.Namespaces)} {
		if n > maxTables {
			return fmt.Errorf("there are %d [[%s]], and %d are possible", n, name, maxTables)
		}
	}
	return nil
}

func encodeEntry(e *Entry) entryTable {
	return entryTable{
		ID:                e.CatalogEntryID,
		Name:              e.Name(),
		Provider:          e.ProviderID,
		Kind:              kindOf(e),
		Chain:             e.ProtocolChain.Entries(),
		Family:            family(e.AddressFamily),
		Type:              socketType(e.SocketType),
		Protocol:          protocol(e.Protocol),
		ProtocolMaxOffset: e.ProtocolMaxOffset,
		MinSockAddr:       e.MinSockAddr,
		MaxSockAddr:       e.MaxSockAddr,
		MessageSize:       e.MessageSize,
		ServiceFlags:      splitBits[serviceFlag](serviceFlagNames, e.ServiceFlags1),
		ServiceFlags2:     e.ServiceFlags2,
		ServiceFlags3:     e.ServiceFlags3,
		ServiceFlags4:     e.ServiceFlags4,
		ProviderFlags:     splitBits[providerFlag](providerFlagNames, e.ProviderFlags),
		Version:           e.Version,
		NetworkByteOrder:  e.NetworkByteOrder,
		SecurityScheme:    e.SecurityScheme,
		ProviderReserved:  e.ProviderReserved,
	}
}

func kindOf(e *Entry) kind {
	switch {
	case e.Layer():
		return kindLayer
	case e.Chain():
		return kindChain
	}
	return kindBase
}

// Parse reads a catalog in the form that [Catalog.Encode] gives it. Its one-line
// error says where the text is wrong. What the text says may still make no
// sense: [Catalog.Check] tells.
func Parse(text []byte) (*Catalog, error) {
	var doc document
	decoder := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields()
	if err := decoder.Decode(&doc); err != nil {
		return nil, placeOf(err)
	}
	switch {
	case doc.End == nil:
		return nil, errors.New("the file is cut off: its last line [end] is missing")
	case doc.Format != fileFormat:
		return nil, fmt.Errorf("the file has format %d, and this program reads format %d", doc.Format, fileFormat)
	case doc.NextID > 1<<32:
		return nil, fmt.Errorf("next_id is %d, but ids end at %d", doc.NextID, uint32(1<<32-1))
	}
	if err := doc.tooMany(); err != nil {
		return nil, err
	}
	c := New()
	c.serial, c.nextID = doc.Serial, max(doc.NextID, FirstID)
	paths := map[spi.GUID]string{}
	for _, p := range doc.Providers {
		if _, twice := paths[p.ID]; twice {
			return nil, fmt.Errorf("there are two [[provider]] with the id %s", p.ID)
		}
		if p.ID == (spi.GUID{}) || p.Path == "" || !validText(p.Path) {
			return nil, fmt.Errorf("provider %s needs an id that is not zero and a path", p.ID)
		}
		paths[p.ID] = p.Path
		c.setCategories(p.ID, joinBits(p.Categories))
	}
	used := map[spi.GUID]bool{}
	for i := range doc.Entries {
		t := &doc.Entries[i]
		path, known := paths[t.Provider]
		if !known {
			return nil, fmt.Errorf("entry %d (%s) names a provider that has no [[provider]]: %s", t.ID, oneLine(t.Name), t.Provider)
		}
		e, err := decodeEntry(t, path)
		if err != nil {
			return nil, fmt.Errorf("entry %d (%s) %w", t.ID, oneLine(t.Name), err)
		}
		used[t.Provider] = true
		c.entries = append(c.entries, e)
		c.nextID = max(c.nextID, uint64(t.ID)+1)
	}
	for _, p := range doc.Providers {
		if !used[p.ID] {
			return nil, fmt.Errorf("provider %s (%s) has no [[entry]]: remove it, or add one", p.ID, oneLine(p.Path))
		}
	}
	for _, a := range doc.Applications {
		if c.findApplication(a.Path, a.Arguments) >= 0 {
			return nil, fmt.Errorf("there are two [[application]] for %s", oneLine(a.Path+" "+a.Arguments))
		}
		if c.SetApplicationCategory(a.Path, a.Arguments, joinBits(a.Categories), nil) != 0 {
			return nil, fmt.Errorf("an [[application]] needs a path: %s", oneLine(a.Path))
		}
	}
	for _, t := range doc.Namespaces {
		own, err := base64.StdEncoding.DecodeString(t.ProviderSpecific)
		if err != nil {
			return nil, fmt.Errorf("namespace %s (%s) has a provider_specific that is not base64", t.ID, oneLine(t.Name))
		}
		n := Namespace{
			ID: t.ID, Identifier: t.Name, Path: t.Path, NameSpace: uint32(t.Namespace), Version: t.Version, Active: !t.Inactive,
			ProviderSpecific: string(own),
		}
		if !n.valid() {
			return nil, fmt.Errorf("namespace %s (%s) needs an id that is not zero, a name, a path and a namespace", t.ID, oneLine(t.Name))
		}
		if c.indexOfNamespace(t.ID) >= 0 {
			return nil, fmt.Errorf("there are two [[namespace]] with the id %s", t.ID)
		}
		c.namespaces = append(c.namespaces, n)
	}
	return c, nil
}

func decodeEntry(t *entryTable, path string) (*Entry, error) {
	info := spi.ProtocolInfo{
		ServiceFlags1:     joinBits(t.ServiceFlags),
		ServiceFlags2:     t.ServiceFlags2,
		ServiceFlags3:     t.ServiceFlags3,
		ServiceFlags4:     t.ServiceFlags4,
		ProviderFlags:     joinBits(t.ProviderFlags),
		Version:           t.Version,
		AddressFamily:     int32(t.Family),
		MaxSockAddr:       t.MaxSockAddr,
		MinSockAddr:       t.MinSockAddr,
		SocketType:        int32(t.Type),
		Protocol:          int32(t.Protocol),
		ProtocolMaxOffset: t.ProtocolMaxOffset,
		NetworkByteOrder:  t.NetworkByteOrder,
		SecurityScheme:    t.SecurityScheme,
		MessageSize:       t.MessageSize,
		ProviderReserved:  t.ProviderReserved,
	}
	switch {
	case t.ID == 0:
		return nil, errors.New("has no id")
	case !validText(t.Name) || utf16Len(t.Name) > MaxProtocolName:
		return nil, fmt.Errorf("has a name longer than %d characters, or not of text", MaxProtocolName)
	case t.Kind == kindMissing:
		return nil, errors.New("has no kind: use base, layer or chain")
	case t.Kind < kindMissing || t.Kind > kindChain: // a number instead of a name
		return nil, fmt.Errorf("has the kind %d: use 'base', 'layer' or 'chain'", t.Kind)
	case t.Kind != kindChain && len(t.Chain) != 0:
		return nil, errors.New("has a chain, but is not of the kind chain")
	case t.Kind == kindChain && (len(t.Chain) < 2 || len(t.Chain) > spi.MaxProtocolChain):
		return nil, fmt.Errorf("has a chain of %d ids: 2 to %d are possible", len(t.Chain), spi.MaxProtocolChain)
	}
	e := newEntry(t.Provider, path, &info)
	e.CatalogEntryID = t.ID
	e.SetName(t.Name)
	switch t.Kind {
	case kindBase:
		e.ProtocolChain.ChainLen = spi.BaseProtocol
	case kindChain:
		e.setChain(t.Chain)
	}
	return e, nil
}

// placeOf makes one line of a TOML error, with its place in the file.
func placeOf(err error) error {
	var unknown *toml.StrictMissingError
	if errors.As(err, &unknown) && len(unknown.Errors) > 0 {
		first := &unknown.Errors[0]
		line, _ := first.Position()
		return fmt.Errorf("line %d: there is no key %q", line, strings.Join(first.Key(), "."))
	}
	var wrong *toml.DecodeError
	if errors.As(err, &wrong) {
		line, _ := wrong.Position()
		return fmt.Errorf("line %d: %s", line, oneLine(strings.TrimPrefix(wrong.Error(), "toml: ")))
	}
	return errors.New(oneLine(err.Error()))
}

// oneLine makes text from a file safe to print in a message.
func oneLine(s string) string {
	const longest = 200
	quoted := fmt.Sprintf("%q", s)
	quoted = strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
	if len(quoted) > longest {
		return quoted[:longest] + "…"
	}
	return quoted
}
