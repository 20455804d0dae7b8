// Package matrix proves the launcher with real programs: each does a fixed piece
// of work bare and under every kind of chain, and the results must be equal.
//
// # Where to start
//
// rows_test.go lists the programs, columns_test.go the ways to run them. A cell
// is one program in one column: its work is a function that starts real servers,
// runs real programs and returns what they said. matrix_test.go compares the
// cells with the bare run, and writes docs/programs.md (make programs).
//
// leak_test.go lets the same programs do the same work in a network namespace
// where only a proxy is reachable, with every packet captured.
package matrix
