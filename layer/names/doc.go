// Package names knows the names behind addresses.
//
// A program looks a name up and then connects to an address. A layer that
// decides by names, or hands the name to a proxy, has to know which name that
// was. There are two ways, and a [Table] has both:
//
//   - [Table.Assign]: nobody asks the network what the address is. The name
//     gets one out of a pool that nobody else uses, and whoever sees that
//     address afterwards finds the name again.
//   - [Table.Learn]: an answer of the network was seen, with its addresses.
//
// # Where to start
//
// Layers of one process share [Default], so that one may assign a name and
// another one, above or below it, find it again by [Table.Lookup]. An address
// of the pool must never go out into the network: [Table.Assigned] tells them.
package names
