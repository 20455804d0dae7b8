// Package announce is a whole layer: it logs every connection that a program
// makes, with its outcome, and costs nothing per byte.
package announce

import (
	"log"

	"upcall.dev/layer"
	"upcall.dev/spi"
)

// announce passes everything through to the next provider but connects.
type announce struct{ spi.Provider }

func (a announce) WSPConnect(s spi.Socket, name []byte, callerData, calleeData *spi.Buf, sqos, gqos *spi.QOS) spi.Errno {
	errno := a.Provider.WSPConnect(s, name, callerData, calleeData, sqos, gqos)
	log.Printf("connect to %s: %v", spi.AddressString(name), errno)
	return errno
}

func init() {
	layer.Register(layer.Definition{
		Name:    "announce",
		Summary: "logs every connection",
		New: func(next spi.Provider, _ spi.Options) (spi.Provider, error) {
			return announce{next}, nil
		},
	})
}
