// Package conformance holds the numbered behaviours of Windows Sockets 2 as
// tests, each run over five configurations through the client API of ws2: the
// provider "kernel", the provider "memory", and "kernel" under an IFS layer,
// under a non-IFS layer and under two of those. What a client can tell apart
// from Windows must be the same over all of them; where a configuration cannot
// have a behaviour its test says why.
//
// Start with harness_test.go: each runs a test over the configurations, and
// gives it a client, a bound thread of a started DLL. The tests are in files by
// what they are about, and TestBehaviour082_… in any package is about behaviour
// 82. Behaviours that do not depend on a configuration (the upcall table, the
// catalog, start-up) are tested once, in the packages that have them.
//
// "make conformance" runs all of them and writes docs/conformance.md.
package conformance
