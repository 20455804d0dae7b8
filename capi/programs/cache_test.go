package programs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// cache returns the directory where sources and objects stay from one run to the
// next: upcall/programs in the user's cache, or one of the test's own if there is
// none. It may be removed at any time.
func cache(t *testing.T) string {
	t.Helper()
	base, err := os.UserCacheDir()
	if err != nil {
		return t.TempDir()
	}
	dir := filepath.Join(base, "upcall", "programs")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Logf("nothing is kept for the next run: %v", err)
		return t.TempDir()
	}
	return dir
}

// lock keeps other processes from part of the cache until the function that it
// returns is called.
func lock(t *testing.T, part string) func() {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(cache(t), part+".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	return func() { _ = f.Close() }
}

func hash(parts ...[]byte) string {
	h := sha256.New()
	for _, p := range parts {
		sum := sha256.Sum256(p)
		h.Write(sum[:])
	}
	return hex.EncodeToString(h.Sum(nil))
}

// limited is a command that is killed when the test has ended or the time is up.
func limited(t *testing.T, limit time.Duration, name string, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.WaitDelay = 5 * time.Second
	return cmd
}
