package layer

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"upcall.dev/spi"
)

// Choice returns the option's value, the first of allowed when it is not set.
// Any other value is an error that names the option, the value and what is
// allowed.
func Choice(o spi.Options, name string, allowed ...string) (string, error) {
	value, set := o[name]
	if !set {
		return allowed[0], nil
	}
	if !slices.Contains(allowed, value) {
		return "", fmt.Errorf("%s=%q is not known: choose %s", name, value, strings.Join(allowed, " or "))
	}
	return value, nil
}

// Duration returns the option's value as a duration that is not negative,
// otherwise when it is not set.
func Duration(o spi.Options, name string, otherwise time.Duration) (time.Duration, error) {
	value, set := o[name]
	if !set {
		return otherwise, nil
	}
	d, err := time.ParseDuration(value)
	if d < 0 || err != nil && durationForm(value) {
		return 0, fmt.Errorf("%s=%q is out of range: choose a duration from 0 to 2562047h", name, value)
	}
	if err != nil {
		return 0, fmt.Errorf("%s=%q is no duration: write a number with a unit, such as 20ms or 1.5s", name, value)
	}
	return d, nil
}

// durationForm reports whether value is written as a duration, however large
// its numbers are.
func durationForm(value string) bool {
	zeros := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return '0'
		}
		return r
	}, value)
	_, err := time.ParseDuration(zeros)
	return err == nil
}
