//go:build !unix

package wsnet

// newWaiter waits for network events everywhere: only on Unix is an IFS handle
// something that Go's network poller can watch.
func newWaiter(s *socket) (waiter, error) {
	return newEventWaiter(s)
}
