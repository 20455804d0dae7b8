// Package ctest runs tests that are programs in C: it builds the shared library
// of the C door, compiles a program against the headers, and runs it in a
// process of its own, with a time limit, over the catalog of a [Chain].
//
//	program := ctest.Compile(t, nil, "testdata/echo.c")
//	for _, chain := range ctest.Chains() {
//		t.Run(chain.Name, func(t *testing.T) {
//			ctest.Run(t, program, nil, chain.Write(t), time.Minute).OK(t)
//		})
//	}
//
// The library is built once for each state of the sources and kept in the
// user's cache, as upcall/ctest, which may be removed at any time. A test program that
// includes check.h, from this package's directory, says what does not hold and
// where, and ends with 1.
package ctest
