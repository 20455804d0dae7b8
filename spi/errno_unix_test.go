//go:build unix

package spi

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
)

func TestErrnoMatchesSystemErrors(t *testing.T) {
	for _, c := range []struct {
		code   Errno
		target error
	}{
		{WSAECONNREFUSED, syscall.ECONNREFUSED},
		{WSAEWOULDBLOCK, syscall.EAGAIN},
		{WSAEWOULDBLOCK, syscall.EINPROGRESS},
		{WSAEACCES, syscall.EPERM},
		{WSAEACCES, os.ErrPermission},
		{WSAETIMEDOUT, os.ErrDeadlineExceeded},
		{WSAESHUTDOWN, syscall.EPIPE},
		{WSAECONNRESET, syscall.ECONNRESET},
	} {
		if err := c.code.Err(); !errors.Is(err, c.target) {
			t.Errorf("errors.Is(%v, %v) is false", err, c.target)
		}
	}
	if errors.Is(WSAECONNRESET, syscall.ECONNREFUSED) {
		t.Error("WSAECONNRESET matches ECONNREFUSED")
	}
}

// A code that has an errno comes back as a code that matches the same errno.
func TestErrnoRoundTrip(t *testing.T) {
	for _, code := range Errnos() {
		errno, known := toSystem[code]
		if !known {
			if code.Errno() != syscall.EIO {
				t.Errorf("%s has no counterpart but Errno gives %v", code.Name(), code.Errno())
			}
			continue
		}
		if back := FromErrno(errno); !errors.Is(back, errno) {
			t.Errorf("%s → %v → %s, which does not match it", code.Name(), errno, back.Name())
		}
	}
	if FromErrno(0) != 0 || Errno(0).Err() != nil || Errno(0).Errno() != 0 {
		t.Error("zero is not success everywhere")
	}
	if FromErrno(syscall.EXDEV) != WSASYSCALLFAILURE {
		t.Error("an errno that no socket call gives is not WSASYSCALLFAILURE")
	}
}

func TestErrnoText(t *testing.T) {
	texts := map[string]Errno{}
	for _, code := range Errnos() {
		if other, taken := texts[code.Error()]; taken {
			t.Errorf("%d and %d read the same: %s", code, other, code.Error())
		}
		texts[code.Error()] = code
		if strings.ContainsAny(code.Error(), "\n") || !strings.Contains(code.Error(), code.Name()) {
			t.Errorf("text of %s: %q", code.Name(), code.Error())
		}
	}
	if len(texts) < 90 {
		t.Errorf("only %d codes", len(texts))
	}
	if got := Errno(424242).Error(); got != "WSA error 424242" {
		t.Errorf("a code outside the set reads %q", got)
	}
}

func TestErrDoesNotAllocate(t *testing.T) {
	codes := Errnos()
	if n := testing.AllocsPerRun(100, func() {
		for _, c := range codes {
			if c.Err() == nil {
				t.Fatal("nil")
			}
		}
	}); n != 0 {
		t.Errorf("Err allocates %v times", n)
	}
}
