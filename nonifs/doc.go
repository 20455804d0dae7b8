// Package nonifs is what providers without IFS handles need in common.
//
// # Where to start
//
//   - A provider that holds the bytes of its sockets itself, base or layered,
//     embeds [Base], which is the thirty functions, and makes its sockets of
//     [Endpoint], over a half of its own that implements [Lower]. Package
//     upcall.dev/provider/memory is the smallest example.
//   - A layer that needs handles of its own but holds no bytes is a [Layer], or
//     embeds one: it translates handles, operations, events and extension
//     functions. An overlapped operation goes down with a structure of the
//     Layer's. While the client has a completion port on the handle, its end
//     comes back on the thread that dequeues from that port, through any number
//     of Layers; else on the one goroutine that a Layer has.
//   - A layer that holds the bytes between its client and a socket of the next
//     provider moves them between that socket and the [Queue]s of an Endpoint,
//     at whose other ends it has a [Pump]; package upcall.dev/layer/relay does.
//   - All stand on [Handles] (the mapping between handles and objects, with
//     the deferred close) and [Host] (upcalls, blocking calls, and the
//     protocol of overlapped completion), which a provider of another shape can
//     use alone.
package nonifs
