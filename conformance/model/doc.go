// Package model tests the client API against a model of it: random sequences of
// calls on sockets, events, overlapped operations and completion ports, over
// every kind of chain, each result compared with what a few plain Go values say
// it must be. Start at machine in machine_test.go, which is the model's state;
// the calls are in the files named after what they do.
//
// A second test, in lockstep_test.go, makes the same random calls on the kernel
// provider and directly on the system, and compares the two.
package model
