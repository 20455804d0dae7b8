//go:build !unix

package wsnet

import "upcall.dev/spi"

// newWaiter waits for network events everywhere: only on Unix is an IFS handle
// something that Go's network poller can watch.
func newWaiter(stack *Stack, handle spi.Socket) (waiter, error) {
	return newEventWaiter(stack, handle)
}

func isDescriptor(spi.Socket) bool { return false }
