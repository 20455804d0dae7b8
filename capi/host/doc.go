// Package host is the small program around the library that has the command
// upcall in it: upcall-host, by which upcall run loads providers written in C.
// scripts/build-host builds both, and says how.
package host
