package spi

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
)

// GUID has Windows' memory layout, with the first three fields in native byte
// order.
type GUID struct {
	Data1 uint32
	Data2 uint16
	Data3 uint16
	Data4 [8]byte
}

// NewGUID returns a random (version 4) GUID.
func NewGUID() GUID {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand aborts the program instead
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return guidOf(b)
}

func guidOf(b [16]byte) GUID {
	return GUID{
		Data1: uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3]),
		Data2: uint16(b[4])<<8 | uint16(b[5]),
		Data3: uint16(b[6])<<8 | uint16(b[7]),
		Data4: [8]byte(b[8:]),
	}
}

// ParseGUID reads the usual text form, with or without braces.
func ParseGUID(s string) (GUID, error) {
	digits := strings.TrimSuffix(strings.TrimPrefix(s, "{"), "}")
	if len(digits) != 36 || digits[8] != '-' || digits[13] != '-' || digits[18] != '-' || digits[23] != '-' {
		return GUID{}, fmt.Errorf("%q is not a GUID: write it as 12345678-1234-1234-1234-123456789abc", s)
	}
	var b [16]byte
	if _, err := hex.Decode(b[:], []byte(strings.ReplaceAll(digits, "-", ""))); err != nil {
		return GUID{}, fmt.Errorf("%q is not a GUID: %w", s, err)
	}
	return guidOf(b), nil
}

// MustParseGUID is [ParseGUID] for constants; it panics on a malformed s.
func MustParseGUID(s string) GUID {
	g, err := ParseGUID(s)
	if err != nil {
		panic(err)
	}
	return g
}

// String returns the lower-case text form without braces.
func (g GUID) String() string {
	return fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", g.Data1, g.Data2, g.Data3, g.Data4[:2], g.Data4[2:])
}

// MarshalText is [GUID.String].
func (g GUID) MarshalText() ([]byte, error) { return []byte(g.String()), nil }

// UnmarshalText is [ParseGUID].
func (g *GUID) UnmarshalText(text []byte) error {
	parsed, err := ParseGUID(string(text))
	if err != nil {
		return err
	}
	*g = parsed
	return nil
}
