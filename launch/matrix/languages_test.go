package matrix

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"

	"upcall.dev/internal/freeport"
)

func webAndDatagrams(t testing.TB, o *outside) {
	webAndRefused(t, o)
	o.datagrams(t)
}

// scripted is a row whose program runs a file of testdata against a web server,
// one that sends datagrams back, and a port that refuses.
func scripted(name, work, program, file string) row {
	return row{
		name: name, work: work, needs: []string{program}, outside: webAndDatagrams,
		do: func(c *cell) string {
			said := c.run(program, absolute(c, file), c.host, fmt.Sprint(c.out.http), fmt.Sprint(c.out.echo), fmt.Sprint(c.out.refused))
			c.connected(c.out.http, c.out.echo, c.out.refused)
			return said
		},
	}
}

func absolute(t testing.TB, file string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var (
	asyncioRow = scripted("python asyncio", "40 streams at once, half-closed, a refused port, datagrams", "python3", "asyncio_client.py")
	threadsRow = scripted("python threads", "16 threads: kept connections with and without a time limit, a refused port, datagrams", "python3", "threads_client.py")
	nodeRow    = scripted("node", "20 fetches at once, POST of 4 MiB, kept connections, a half-closed stream, a refused port, datagrams", "node", "client.js")
)

var javaRow = row{
	name:    "Java HttpClient",
	work:    "20 requests at once, POST of 4 MiB, a refused port, datagrams",
	needs:   []string{"java", "javac"},
	outside: webAndDatagrams,
	do: func(c *cell) string {
		said := c.run("java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-cp", javaClasses(c), "Client",
			c.url(""), c.host, fmt.Sprint(c.out.echo), fmt.Sprint(c.out.refused))
		c.connected(c.out.http, c.out.echo, c.out.refused)
		return said
	},
}

func javaClasses(t testing.TB) string {
	return compile(t, "java", func(into string) *exec.Cmd {
		return exec.Command(need(t, "javac"), "-d", into, "testdata/java/Client.java")
	})
}

var goRow = row{
	name:    "static Go client",
	work:    "50 connections at once, 50 requests on one, POST of 4 MiB, a refused port, datagrams",
	outside: webAndDatagrams,
	do: func(c *cell) string {
		said := c.run(gonet(c), c.url(""), fmt.Sprintf("%s:%d", c.host, c.out.echo), fmt.Sprintf("%s:%d", c.host, c.out.refused))
		c.connected(c.out.http, c.out.echo, c.out.refused)
		return said
	},
}

func gonet(t testing.TB) string { return goProgram(t, "gonet", "./testdata/gonet") }

var goServerRow = row{
	name:    "static Go server",
	server:  true,
	work:    "100 requests, the addresses that it sees, POST of 16 MiB",
	needs:   []string{"curl"},
	outside: ownPort,
	do: func(c *cell) string {
		c.serve(c.out.server, command{args: []string{gonet(c), "-serve", fmt.Sprint("127.0.0.1:", c.out.server)}})
		said := serverWork(c.besides())
		c.accepted(c.out.server)
		return said
	},
}

var nodeServerRow = row{
	name:    "node server",
	server:  true,
	work:    "as the static Go server",
	needs:   []string{"node", "curl"},
	outside: ownPort,
	do: func(c *cell) string {
		c.serve(c.out.server, command{args: []string{"node", absolute(c, "server.js"), fmt.Sprint(c.out.server)}})
		said := serverWork(c.besides())
		c.accepted(c.out.server)
		return said
	},
}

func ownPort(t testing.TB, o *outside) { o.server = freeport.Take(t) }

func serverWork(c *cell) string {
	return c.script(`
curl -sS -Z --parallel-immediate --no-progress-meter "http://$1:$2/hello?[1-100]" | sort | uniq -c
head -c 16777216 /dev/zero | curl -sS -H Expect: --data-binary @- http://$1:$2/hash
`, c.host, c.out.server)
}

var asyncioServerRow = row{
	name:    "python asyncio server",
	server:  true,
	work:    "streams and the addresses that it sees, half-closed by the client",
	needs:   []string{"python3"},
	outside: ownPort,
	do: func(c *cell) string {
		c.serve(c.out.server, command{args: []string{"python3", absolute(c, "asyncio_server.py"), fmt.Sprint(c.out.server)}})
		b := c.besides()
		said := b.run("python3", absolute(c, "asyncio_server_client.py"), b.host, fmt.Sprint(c.out.server))
		c.accepted(c.out.server)
		return said
	},
}
