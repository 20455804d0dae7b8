// Package soak runs very many connections and overlapped operations through a
// completion port and looks that nothing grows and nothing is left: no packet
// lost, no memory, no descriptor, no goroutine. make test runs a short form,
// make soak 100 000 connections and ten million operations over every kind of
// chain. Start at TestSoak in soak_test.go.
package soak
