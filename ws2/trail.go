package ws2

import (
	"fmt"
	"sync"
)

// trail remembers what went wrong in a provider's start and below it. A layer
// that cannot start its next provider has only a code to answer with; the trail
// lets the host name the provider that failed.
type trail struct {
	mu       sync.Mutex // a leaf lock; guards the rest
	provider string     // that failed first, which is the innermost
	err      error
	ended    bool
}

// note keeps the failure if it is the first. After the start it is logged
// instead: a layer may load a next provider with its first socket.
func (t *trail) note(d *DLL, provider string, err error) {
	if t != nil {
		t.mu.Lock()
		ended := t.ended
		if !ended && t.err == nil {
			t.provider, t.err = provider, err
		}
		t.mu.Unlock()
		if !ended {
			return
		}
	}
	d.complain.once(d, fmt.Sprintf("provider %s: %v", provider, err))
}

// cause returns why the start of provider failed, nil when nothing is known.
func (t *trail) cause(provider string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err == nil || t.provider == provider {
		return t.err
	}
	return fmt.Errorf("provider %s below it: %w", t.provider, t.err)
}

func (t *trail) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = true
}
