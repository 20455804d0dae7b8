package ws2

import (
	"errors"

	"upcall.dev/spi"
)

// ProviderError is a failure to load or start a provider, or to read the
// catalog. It matches both its code and its cause with errors.Is.
type ProviderError struct {
	// Code is WSAEPROVIDERFAILEDINIT (not loaded, or WSPStartup failed or timed
	// out), WSAEINVALIDPROVIDER (version), WSAEINVALIDPROCTABLE (a function is
	// missing), or WSASYSNOTREADY (the catalog cannot be read).
	Code spi.Errno
	// Provider names the provider; empty when it is the catalog.
	Provider string
	// Err is the cause.
	Err error
}

// Error returns one line: what failed, why, and the code's name.
func (e *ProviderError) Error() string {
	subject := "the provider catalog"
	if e.Provider != "" {
		subject = "provider " + e.Provider
	}
	return subject + ": " + e.Err.Error() + " (" + e.Code.Name() + ")"
}

// Unwrap returns the code and the cause.
func (e *ProviderError) Unwrap() []error { return []error{e.Code, e.Err} }

// CodeOf returns the code of an error of this package, zero for nil.
func CodeOf(err error) spi.Errno {
	switch e := err.(type) {
	case nil:
		return 0
	case spi.Errno:
		return e
	}
	var code spi.Errno
	if errors.As(err, &code) {
		return code
	}
	return spi.WSASYSCALLFAILURE
}
