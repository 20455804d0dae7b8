// Package shape is the layered provider "shape": it limits the rate of what
// passes and delays it, each direction by itself. Its README.md is its manual
// page.
//
// Every byte passes through the layer, so it is a non-IFS layer: its sockets
// are those of package upcall.dev/layer/relay, and this package decides when
// their bytes go on. Where it has nothing to decide, they are those of package
// upcall.dev/nonifs, which hands every call down.
package shape

import (
	"fmt"
	"time"

	"upcall.dev/layer"
	"upcall.dev/layer/relay"
	"upcall.dev/spi"
)

const summary = "limits the rate and delays what passes, each direction by itself"

func init() {
	spi.Register(spi.Driver{
		Name:    "shape",
		Summary: summary,
		Options: options,
		Open: func(m spi.Module) (spi.StartupFunc, error) {
			c, err := parse(m.Options)
			if err != nil {
				return nil, fmt.Errorf("shape: %w", err)
			}
			if c.shapesNothing() {
				return passing.Open(m)
			}
			return newShaper(m.ProviderID, c).startup, nil
		},
	})
}

// passing is the layer without a limit or a delay: handles of its own, through
// which the client's calls go down as they are, without a buffer between.
var passing = layer.Definition{
	Name:      "shape",
	Summary:   summary,
	SeesBytes: func(spi.Options) bool { return true },
	New:       func(next spi.Provider, _ spi.Options) (spi.Provider, error) { return next, nil },
}.Driver()

// shaper is one loaded layer.
type shaper struct {
	*relay.Relay
	chains *layer.Chains
}

const (
	// largestChunk is the most that is read at once where no burst is smaller.
	largestChunk = 64 << 10

	// smallestLine and largestLine bound the bytes on their way in one
	// direction of one socket; between them it is twice what fills the delay.
	smallestLine = 1 << 20
	largestLine  = 64 << 20
)

func newShaper(id spi.GUID, c config) *shaper {
	s := &shaper{chains: layer.NewChains(id)}
	links := newLinks(c)
	chunk, line := largestChunk, smallestLine
	for d := range links {
		if c.rate[d] > 0 {
			chunk = min(chunk, c.burst[d])
			line = max(line, int(min(largestLine, 2*c.rate[d]*c.delay[d].Seconds())))
		}
	}
	s.Relay = relay.New(relay.Config{
		Find: func(info *spi.ProtocolInfo) (spi.Provider, *spi.ProtocolInfo, spi.Errno) {
			link, errno := s.chains.Find(info)
			if errno != 0 {
				return nil, nil, errno
			}
			return link.Next(), link.Below(info), 0
		},
		Schedule:  func(d relay.Direction, now time.Time, n int) time.Time { return links[d].release(now, n) },
		Chunk:     chunk,
		Limit:     line,
		RoundTrip: c.delay[relay.Up] + c.delay[relay.Down],
	})
	return s
}

func (s *shaper) startup(requested uint16, data *spi.WSPData, info *spi.ProtocolInfo, upcalls spi.UpcallTable, dll spi.DLL) (spi.Provider, spi.Errno) {
	if errno := spi.NegotiateVersion(requested, data, summary); errno != 0 {
		return nil, errno
	}
	if _, errno := s.chains.Start(info, upcalls, dll); errno != 0 {
		return nil, errno
	}
	s.Start(upcalls, dll)
	return s, 0
}

// WSPCleanup undoes one start: the layer's own sockets end before the
// providers that they stand on.
func (s *shaper) WSPCleanup() spi.Errno {
	if errno := s.Relay.WSPCleanup(); errno != 0 {
		return errno
	}
	return s.chains.Cleanup()
}
