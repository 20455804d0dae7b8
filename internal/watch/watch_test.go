package watch

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A file that is written, replaced or removed is looked at again.
func TestFollowSeesEveryChange(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	seen := make(chan string)
	done := make(chan error, 1)
	go func() {
		done <- Follow(ctx, path, func() {
			text, _ := os.ReadFile(path)
			select {
			case seen <- string(text):
			case <-ctx.Done():
			}
		})
	}()
	await := func(want string) {
		t.Helper()
		for {
			select {
			case got := <-seen:
				if got == want {
					return
				}
			case <-ctx.Done():
				t.Fatalf("never saw %q", want)
			}
		}
	}
	await("")
	for _, text := range []string{"one", "two"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		await(text)
	}
	other := path + ".new"
	if err := errors.Join(os.WriteFile(other, []byte("three"), 0o600), os.Rename(other, path)); err != nil {
		t.Fatal(err)
	}
	await("three")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	await("")
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
}
