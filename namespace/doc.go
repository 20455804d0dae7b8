// Package namespace has what namespace providers of internet names share: a
// [Provider] turns a [Resolver], which finds addresses and names, into the nine
// functions of [spi.NSP].
//
// # Where to start
//
//   - To write a provider, implement [Resolver] and register the functions of
//     [New] with [spi.RegisterNamespace]; upcall.dev/namespace/hosts is one.
//   - What a query means is in query.go, what comes of it in result.go.
package namespace
