// Package capi is the C door: where the shared library will be built from that
// gives C programs Winsock 2 by its binary contract, and loads providers written
// in C. So far there are the headers that such programs and providers are
// compiled with, in include/upcall, and the tests of their layouts here.
package capi
