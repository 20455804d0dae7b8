package layer

import (
	"fmt"

	"upcall.dev/spi"
)

// Definition describes a layered provider to [Register].
type Definition struct {
	// Name is how catalogs and the command line call the layer: lower case, no
	// spaces.
	Name string
	// Summary is one line for lists.
	Summary string
	// Options are the options that a catalog path may set.
	Options []spi.Option
	// Check refuses option values, with an error that says what is allowed; it
	// runs when the layer is loaded. nil accepts every value.
	Check func(o spi.Options) error
	// SeesBytes reports whether the layer, with these options, must see every
	// transfer. Its sockets then get handles of the layer's own, so that read
	// and write on them cannot go around it. nil means that it need not: over
	// a base provider with IFS handles the layer then costs nothing per byte.
	SeesBytes func(o spi.Options) bool
	// ByApplication tells that what the layer does depends on which program it
	// serves ([spi.DLL].Application).
	ByApplication bool
	// Without are the extension functions that the layer cannot support:
	// clients that ask for one get WSAEOPNOTSUPP. A layer that changes what
	// WSPSend sends needs the same in TransmitFile, TransmitPackets, WSASendMsg
	// and the data of ConnectEx, by [WrapExtension], or does without them. So does
	// one that decides by the address of WSPConnect, which ConnectEx has as well,
	// or of WSPSendTo, which WSASendMsg has.
	Without []spi.GUID
	// New returns the layer's provider over the started provider next, usually
	// a struct that embeds next. It is called once for each different next
	// provider that the layer's chains have. If the result has a method
	// Close() error, it is called when the last start has been undone.
	//
	// When the layer's sockets have handles of its own, next has the method
	// Observe of [upcall.dev/nonifs.Layer], which tells of every transfer how
	// it ended, overlapped ones included.
	//
	// In any case next has the methods DLL and Upcalls of [upcall.dev/nonifs.Host].
	//
	// next wants to be called with the arguments that the layer was called
	// with; what the provider below needs instead, it substitutes by itself.
	New func(next spi.Provider, o spi.Options) (spi.Provider, error)
}

// Register makes the layer available as a driver of package spi. Call it in
// an init function. Like [spi.Register] it panics when the definition is
// incomplete or the name is taken.
func Register(d Definition) {
	if d.New == nil {
		panic(fmt.Sprintf("layer: %q needs a New function", d.Name))
	}
	spi.Register(d.Driver())
}

// Driver returns the layer as a driver of package spi, for a layer that registers
// it by itself: [Register] does so for most.
func (d Definition) Driver() spi.Driver {
	return spi.Driver{
		Name:          d.Name,
		Summary:       d.Summary,
		Options:       d.Options,
		ByApplication: d.ByApplication,
		IFS:           func(o spi.Options) bool { return !d.seesBytes(o) },
		Open: func(loaded spi.Module) (spi.StartupFunc, error) {
			if d.Check != nil {
				if err := d.Check(loaded.Options); err != nil {
					return nil, fmt.Errorf("%s: %w", d.Name, err)
				}
			}
			m := &module{definition: d, loaded: loaded, chains: NewChains(loaded.ProviderID)}
			return m.startup, nil
		},
	}
}

func (d *Definition) seesBytes(o spi.Options) bool { return d.SeesBytes != nil && d.SeesBytes(o) }

// module is one loaded layer.
type module struct {
	definition Definition
	loaded     spi.Module
	chains     *Chains
}

// startup is the layer's WSPStartup. When all the layer's chains lead to one
// next provider it returns the author's provider itself, so that a call costs
// no lookup, else a switchboard over several of them.
func (m *module) startup(requested uint16, data *spi.WSPData, info *spi.ProtocolInfo, upcalls spi.UpcallTable, dll spi.DLL) (spi.Provider, spi.Errno) {
	if errno := spi.NegotiateVersion(requested, data, m.definition.Summary); errno != 0 {
		return nil, errno
	}
	link, errno := m.chains.Start(info, upcalls, dll)
	if errno != 0 {
		return nil, errno
	}
	link.run.refresh(upcalls, dll)
	upper, errno := m.provider(link)
	if errno != 0 {
		m.cleanup()
		return nil, errno
	}
	r := link.run
	if len(r.groups) == 1 {
		return upper, 0
	}
	return &switchboard{module: m, run: r}, 0
}

// cleanup undoes one startup. The last one goes from top to bottom: the layer's
// own handles, the next providers, then whatever the author keeps.
func (m *module) cleanup() (first spi.Errno) {
	ended, errno := m.chains.stop()
	if ended == nil {
		return errno
	}
	for _, g := range ended.groups {
		if own := g.ownHandles(); own != nil {
			errno = own.Layer.WSPCleanup()
		} else {
			errno = ended.cleanup(g)
		}
		if errno != 0 && first == 0 {
			first = errno
		}
	}
	for _, g := range ended.groups {
		if closer, ok := g.provider().(interface{ Close() error }); ok {
			_ = closer.Close() // the layer is gone: there is nobody to tell
		}
	}
	return first
}
