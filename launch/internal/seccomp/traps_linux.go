package seccomp

import "upcall.dev/launch/internal/chains"

// traps says which calls the filter stops. It is decided when the program
// starts, for a filter cannot be changed.
type traps struct {
	// Report adds those that are only told of.
	Report bool
	// Streams is what TCP sockets need.
	Streams chains.Carriage
	// Datagrams is what UDP sockets need.
	Datagrams chains.Carriage
	// Unix adds what Unix sockets are asked about.
	Unix bool
}

func trapsFor(c Config) traps {
	return traps{
		Report: c.Verbose != nil || c.Tally != nil, Streams: c.Chains.Streams(), Datagrams: c.Chains.Datagrams(), Unix: c.Chains.JudgesUnix(),
	}
}
