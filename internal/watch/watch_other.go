//go:build !linux

// Package watch tells of changes of a file: of its contents, owner or mode, and
// of another file in its place.
package watch

import (
	"context"
	"time"
)

// interval is how often the file is looked at where the system's notification is
// not used.
const interval = time.Second

// Follow calls look at once and then at intervals, until ctx ends, and returns
// its error.
func Follow(ctx context.Context, _ string, look func()) error {
	ticker := time.NewTicker(interval)
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
