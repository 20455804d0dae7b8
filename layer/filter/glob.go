package filter

import (
	"fmt"
	"path/filepath"
	"strings"
)

// checkGlob refuses what is no glob of paths: * stands for what has no slash in
// it, ** for anything, and ? for one byte that is no slash.
func checkGlob(glob string) error {
	if strings.Contains(glob, "***") {
		return fmt.Errorf("%q has more than two stars in a row: * is anything without a slash, ** anything", glob)
	}
	if strings.ContainsRune(glob, 0) {
		return fmt.Errorf("%q has a NUL in it", glob)
	}
	return nil
}

// matchGlob reports whether a whole path is of the glob. It takes time
// proportional to the product of their lengths.
func matchGlob(glob, path string) bool {
	// reached[i] says whether what has been seen of glob matches path[:i].
	reached := make([]bool, len(path)+1)
	reached[0] = true
	for i := 0; i < len(glob); i++ {
		switch {
		case strings.HasPrefix(glob[i:], "**"):
			i++
			for j := 1; j <= len(path); j++ {
				reached[j] = reached[j] || reached[j-1]
			}
		case glob[i] == '*':
			for j := 1; j <= len(path); j++ {
				reached[j] = reached[j] || reached[j-1] && path[j-1] != '/'
			}
		default:
			for j := len(path); j > 0; j-- {
				reached[j] = reached[j-1] && (glob[i] == path[j-1] || glob[i] == '?' && path[j-1] != '/')
			}
			reached[0] = false
		}
	}
	return reached[len(path)]
}

// withoutLinks returns a glob of paths whose directories before the first star
// or question mark are none that are symbolic links, as far as they are there.
func withoutLinks(glob string) string {
	fixed, rest := glob, ""
	if i := strings.IndexAny(glob, "*?"); i >= 0 {
		i = strings.LastIndexByte(glob[:i], '/') + 1
		fixed, rest = glob[:i], glob[i:]
	}
	if !filepath.IsAbs(fixed) {
		return glob
	}
	if rest != "" {
		rest = "/" + rest
	}
	for missing := ""; ; {
		if there, err := filepath.EvalSymlinks(fixed); err == nil {
			return strings.TrimSuffix(there, "/") + missing + rest
		}
		missing = "/" + filepath.Base(fixed) + missing
		fixed = filepath.Dir(fixed)
	}
}

// matchProgram reports whether a program's path is of a glob. One without a
// slash is about the file's name alone.
func matchProgram(glob, program string) bool {
	if program == "" {
		return false
	}
	if !strings.Contains(glob, "/") && glob != "**" {
		program = program[strings.LastIndexByte(program, '/')+1:]
	}
	return matchGlob(glob, program)
}
