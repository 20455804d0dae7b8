package matrix

import "testing"

// row is a program in one role, with its work.
type row struct {
	name   string
	server bool
	work   string   // for the page
	needs  []string // programs without which it is skipped
	// outside starts what the program talks to, once for all columns.
	outside func(t testing.TB, o *outside)
	// do does the work in a column and returns what came of it.
	do func(c *cell) string
}

var rows = []row{
	curlRow,
}
