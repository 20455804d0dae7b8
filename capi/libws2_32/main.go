// Command libws2_32 is the shared library of the C door. scripts/build-library
// builds it, with its SONAME and the versions of its symbols, which are in
// exports.map; make install puts it where programs find it, with its headers.
package main

import "C"

import (
	_ "upcall.dev/capi/provider"
	_ "upcall.dev/capi/windows"
	_ "upcall.dev/capi/winsock"
	_ "upcall.dev/standard"
)

func main() {}
