// Package capi is the C door: the place from which the shared library is built
// that gives C programs Winsock 2 by its binary contract, and that loads
// providers written in C. The headers that such programs and providers are
// compiled with are in include/upcall.
package capi
