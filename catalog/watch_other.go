//go:build unix && !linux

package catalog

import (
	"context"
	"time"
)

// watchInterval is how often the file is read where the system's notification
// is not used.
const watchInterval = time.Second

// follow calls look at once and then at intervals, until ctx ends.
func (f *File) follow(ctx context.Context, look func()) error {
	ticker := time.NewTicker(watchInterval)
	defer ticker.Stop()
	for {
		look()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}
