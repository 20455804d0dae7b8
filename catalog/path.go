package catalog

import (
	"os"
	"strings"
)

// ExpandPath replaces each %NAME% in an installed path by that environment
// variable, as ExpandEnvironmentStrings does: a reference to a variable that is
// not set stays as it is. Paths of Go providers ("go:...") hold URL escapes
// instead and are returned unchanged.
func ExpandPath(path string) string {
	if strings.HasPrefix(path, "go:") {
		return path
	}
	var expanded strings.Builder
	for {
		before, rest, found := strings.Cut(path, "%")
		expanded.WriteString(before)
		if !found {
			return expanded.String()
		}
		name, after, closed := strings.Cut(rest, "%")
		value, set := os.LookupEnv(name)
		if !closed || !set {
			expanded.WriteByte('%')
			path = rest
			continue
		}
		expanded.WriteString(value)
		path = after
	}
}
