//go:build upcallhost

package main

import "C"

import (
	"upcall.dev/capi/process"
	_ "upcall.dev/capi/provider"
	_ "upcall.dev/capi/windows"
	_ "upcall.dev/capi/winsock"
	"upcall.dev/ws2"
)

func init() {
	newHostDLL = func(c ws2.Config) *ws2.DLL {
		d := process.New(c)
		process.Use(d) // of several, providers in C serve the first, and say so
		return d
	}
}

// upcallMain is the command, for upcall-host.
//
//export upcall_main
func upcall_main() { main() } //nolint:revive // the symbol's name
