// Package tomlplace makes messages for people of what the TOML library finds
// wrong in a file.
package tomlplace

import (
	"errors"
	"fmt"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// Of returns an error of decoding as one line that begins with its line in the
// text, where that is known. Whatever the text says is safe to print.
func Of(err error) error {
	var unknown *toml.StrictMissingError
	if errors.As(err, &unknown) && len(unknown.Errors) > 0 {
		first := &unknown.Errors[0]
		line, _ := first.Position()
		return fmt.Errorf("line %d: there is no key %s", line, oneLine(fmt.Sprintf("%q", strings.Join(first.Key(), "."))))
	}
	var wrong *toml.DecodeError
	if errors.As(err, &wrong) {
		line, _ := wrong.Position()
		return fmt.Errorf("line %d: %s", line, oneLine(strings.TrimPrefix(wrong.Error(), "toml: ")))
	}
	return errors.New(oneLine(err.Error()))
}

// longest bounds a message, in bytes.
const longest = 300

func oneLine(s string) string {
	quoted := fmt.Sprintf("%q", s)
	quoted = strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
	if len(quoted) > longest {
		return quoted[:longest] + "…"
	}
	return quoted
}
