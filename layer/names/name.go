package names

import "strings"

// Canonical returns the form in which a Table keeps a host name: lower case,
// without the dot at the end. False when it is none that may be sent to a
// proxy: empty, longer than 253 bytes, with an empty label or one of more than
// 63 bytes, with something else in it than letters, digits, "-" and "_", or
// ending in a number, which resolvers take for an IPv4 address.
func Canonical(name string) (string, bool) {
	name = strings.TrimSuffix(name, ".")
	if name == "" || len(name) > 253 {
		return "", false
	}
	label := 0 // where the current one begins
	for i := 0; i <= len(name); i++ {
		if i == len(name) || name[i] == '.' {
			if length := i - label; length == 0 || length > 63 {
				return "", false
			}
			label = i + 1
			continue
		}
		c := name[i]
		if c|0x20 < 'a' || c|0x20 > 'z' {
			if (c < '0' || c > '9') && c != '-' && c != '_' {
				return "", false
			}
		}
	}
	if isNumber(name[strings.LastIndexByte(name, '.')+1:]) {
		return "", false
	}
	return strings.ToLower(name), true
}

// isNumber reports whether inet_aton(3) takes a label for a number: decimal and
// octal digits, or hexadecimal ones after 0x.
func isNumber(label string) bool {
	digits := "0123456789"
	if len(label) >= 2 && label[0] == '0' && label[1]|0x20 == 'x' {
		label, digits = label[2:], "0123456789abcdefABCDEF"
	}
	return strings.Trim(label, digits) == ""
}
