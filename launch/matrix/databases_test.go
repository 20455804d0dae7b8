package matrix

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"upcall.dev/internal/freeport"
)

var redisCLIRow = row{
	name:  "redis-cli",
	work:  "reads and writes, 2 000 commands by a pipe, an answer of 1 MB, redis-benchmark with 20 clients, a refused port",
	needs: []string{"redis-cli", "redis-server", "redis-benchmark"},
	outside: func(t testing.TB, o *outside) {
		o.server = freeport.Take(t)
		o.nobodyThere(t)
		o.run(t, o.server, redisServer(o.server))
	},
	do: func(c *cell) string {
		said := redisWork(c)
		c.connected(c.out.server, c.out.refused)
		return said
	},
}

var redisServerRow = row{
	name:   "redis-server",
	server: true,
	work:   "serves the work of *redis-cli*",
	needs:  []string{"redis-cli", "redis-server", "redis-benchmark"},
	outside: func(t testing.TB, o *outside) {
		o.server = freeport.Take(t)
		o.nobodyThere(t)
	},
	do: func(c *cell) string {
		c.serve(c.out.server, redisServer(c.out.server))
		said := redisWork(c.besides())
		c.accepted(c.out.server)
		return said
	},
}

func redisServer(port int) command {
	return command{args: []string{"redis-server", "--bind", "127.0.0.1", "--port", fmt.Sprint(port), "--save", "", "--appendonly", "no"}}
}

// redisWork does its work against the server of the row.
func redisWork(c *cell) string {
	return c.script(`
redis-cli -h $1 -p $2 flushall
redis-cli -h $1 -p $2 set key value
redis-cli -h $1 -p $2 get key
redis-cli -h $1 -p $2 client info | grep -o ' addr=[^:]*'
for i in 1 2 3; do redis-cli -h $1 -p $2 incr count; done
for i in $(seq 2000); do echo "RPUSH list $i"; done | redis-cli -h $1 -p $2 | tail -1
redis-cli -h $1 -p $2 lrange list 0 -1 | sha256sum
redis-cli -h $1 -p $2 --raw eval "return string.rep('x', 1000000)" 0 | sha256sum
redis-benchmark -h $1 -p $2 -q -n 2000 -c 20 -t get,set >benchmark && echo benchmark $?
redis-cli -h $1 -p $2 no-such-command
redis-cli -h $1 -p $3 ping 2>/dev/null; echo refused $?
`, c.host, c.out.server, c.out.refused)
}

var psqlRow = row{
	name:  "psql",
	work:  "queries, COPY in and out, a notification, a result of 1.3 MB, an error, a refused port",
	needs: []string{"psql", "postgres", "initdb", "pg_isready"},
	outside: func(t testing.TB, o *outside) {
		o.nobodyThere(t)
		postgres(t, o)
		o.run(t, o.server, postgresServer(o.dir, o.server))
		isReady(t, o)
	},
	do: func(c *cell) string {
		said := psqlWork(c)
		c.connected(c.out.server, c.out.refused)
		return said
	},
}

var postgresRow = row{
	name:   "PostgreSQL",
	server: true,
	work:   "serves the work of *psql*",
	needs:  []string{"psql", "postgres", "initdb", "pg_isready"},
	outside: func(t testing.TB, o *outside) {
		o.nobodyThere(t)
		postgres(t, o)
	},
	do: func(c *cell) string {
		server := c.serve(c.out.server, postgresServer(c.out.dir, c.out.server))
		isReady(c.T, c.out)
		said := psqlWork(c.besides())
		c.accepted(c.out.server)
		server.stop(c.T)
		return said
	},
}

// postgresUser is who runs it: it refuses root.
func postgresUser() int {
	if os.Geteuid() == 0 {
		return unprivileged
	}
	return 0
}

// postgres makes a database.
func postgres(t testing.TB, o *outside) {
	t.Helper()
	o.server = freeport.Take(t)
	p := start(t, command{
		args: []string{need(t, "initdb"), "-D", filepath.Join(o.dir, "data"), "-U", "upcall", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"},
		dir:  o.dir, uid: postgresUser(),
	})
	if status, out := p.finish(t); status != 0 {
		t.Fatalf("initdb: status %d: %s", status, out)
	}
}

func postgresServer(dir string, port int) command {
	return command{
		args: []string{"postgres", "-D", filepath.Join(dir, "data"), "-p", fmt.Sprint(port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
			"-c", "fsync=off", "-c", "shared_buffers=16MB", "-c", "max_connections=20", "-c", "autovacuum=off"},
		uid: postgresUser(),
	}
}

func isReady(t testing.TB, o *outside) {
	t.Helper()
	eventually(t, "postgres is ready", func() bool {
		status, _ := start(t, command{args: []string{need(t, "pg_isready"), "-q", "-h", "127.0.0.1", "-p", fmt.Sprint(o.server)}, dir: o.dir}).finish(t)
		return status == 0
	})
}

// notifiedBy is the number of a server's process.
var notifiedBy = regexp.MustCompile(`with PID \d+`)

func psqlWork(c *cell) string {
	args := func(port int) []string {
		return []string{"psql", "-X", "-A", "-t", "-h", c.host, "-p", fmt.Sprint(port), "-U", "upcall", "-d", "postgres"}
	}
	said := c.runWith(command{args: args(c.out.server), stdin: `
SELECT inet_client_addr(), inet_server_addr();
CREATE TEMP TABLE numbers (n int, text text);
INSERT INTO numbers SELECT n, md5(n::text) FROM generate_series(1, 20000) n;
SELECT count(*), sum(n), md5(string_agg(text, '')) FROM numbers;
COPY numbers FROM STDIN;
20001	one
20002	two
\.
SELECT * FROM numbers WHERE n > 20000;
LISTEN channel;
NOTIFY channel, 'payload';
SELECT 1 / 0;
SELECT 'after it';
`})
	said = notifiedBy.ReplaceAllString(said, "with PID N")
	large := args(c.out.server)
	said += c.run(append(large, "-c", "COPY (SELECT n, md5(n::text) FROM generate_series(1, 33000) n) TO STDOUT")...)
	status, _, _ := strings.Cut(c.run(append(args(c.out.refused), "-c", "SELECT 1")...), "\n")
	return said + "refused: " + status + "\n"
}
