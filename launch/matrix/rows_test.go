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
	// impossible tells why a column cannot have this row; nil: each can.
	impossible func(c column) string
	// do does the work in a column and returns what came of it.
	do func(c *cell) string
}

var rows = []row{
	curlRow, wgetRow, gitRow, sshRow, redisCLIRow, psqlRow, asyncioRow, threadsRow, nodeRow, javaRow, goRow, digRow, iperfTCPRow, iperfUDPRow, chromiumRow,
	redisServerRow, nginxRow, nginxProxyRow, postgresRow, sshdRow, goServerRow, nodeServerRow, asyncioServerRow, iperfServerRow, iperfUDPServerRow,
}
