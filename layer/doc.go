// Package layer is what every layered provider needs: it registers the layer,
// finds and starts its next provider for each protocol chain, and passes
// through whatever the layer does not change.
//
// # Where to start
//
// A layer is a type that embeds its next [spi.Provider] and overrides the
// functions that it changes, and one call of [Register]:
//
//	type announce struct{ spi.Provider }
//
//	func (l announce) WSPConnect(s spi.Socket, name []byte, callerData, calleeData *spi.Buf, sqos, gqos *spi.QOS) spi.Errno {
//		log.Println("connecting to", spi.AddressString(name))
//		return l.Provider.WSPConnect(s, name, callerData, calleeData, sqos, gqos)
//	}
//
//	func init() {
//		layer.Register(layer.Definition{
//			Name:    "announce",
//			Summary: "logs every connect",
//			New: func(next spi.Provider, _ spi.Options) (spi.Provider, error) {
//				return announce{next}, nil
//			},
//		})
//	}
//
// The next provider that New receives does the rest: it registers handles, so
// that calls on them reach the layer first, and answers for the layer's chain
// entry where Winsock asks which protocol a socket has.
//
// A layer that needs more control, such as one that holds bytes itself, uses
// [Chains] directly.
package layer
