package ws2

import "upcall.dev/spi"

// StartProvider starts the provider of the catalog entry that info names, and
// through it the providers below it in its chain, as making a first socket of
// the entry would. A program calls it to learn at once whether its chain
// works. WSAEINVAL (unknown id, or a bare layer), or a [ProviderError].
func (t *Thread) StartProvider(info *spi.ProtocolInfo) error {
	r, e := t.enter()
	if e != 0 {
		return t.fail(e)
	}
	named, e := r.named(info)
	if e != 0 {
		return t.fail(e)
	}
	if err := named.provider.start(named); err != nil {
		return t.failWith(err)
	}
	return nil
}
