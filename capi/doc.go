// Package capi is the C door: libws2_32.so gives programs in C Winsock 2 by its
// binary contract, and loads providers written in C. This package has no code
// but the tests of the headers' layouts; docs/capi.md tells how to build with
// it.
//
//   - capi/libws2_32 is the library, capi/host the command upcall with it inside
//   - capi/process is what a process has once, its DLL and its threads
//   - capi/winsock exports the functions of Ws2_32.dll and Mswsock.dll
//   - capi/windows those of windows.h that socket programs use
//   - capi/provider has providers in C and in Go serve in one chain
//   - capi/ctest runs tests that are programs in C
package capi
