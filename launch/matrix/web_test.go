package matrix

import (
	"fmt"
	"testing"
)

var curlRow = row{
	name:  "curl",
	work:  "GET, POST of 16 MiB, a redirect, 20 requests at once, a 404, a refused port",
	needs: []string{"curl"},
	outside: func(t testing.TB, o *outside) {
		o.web(t)
		o.nobodyThere(t)
	},
	do: func(c *cell) string {
		said := c.run("curl", "-sS", "-i", "-H", "Accept-Encoding:", "-o", "hello", "-w", "%{http_code} %{size_download} %{remote_ip} %{num_connects}\n", c.url("/hello")) +
			c.run("curl", "-sS", "-L", "-w", "%{http_code} %{num_redirects} %{url_effective}\n", "http://"+c.host+fmt.Sprint(":", c.out.http)+"/moved") +
			c.run("curl", "-sS", "-Z", "--parallel-immediate", "--no-progress-meter", c.url("/hello?[1-20]")) +
			c.run("curl", "-sS", "-f", c.url("/missing")) +
			c.run("curl", "-sS", c.url("/big"))
		said += c.runWith(command{args: []string{"curl", "-sS", "-H", "Expect:", "--data-binary", "@-", c.url("/hash")}, stdin: big()})
		refused := c.run("curl", "-s", "-w", "%{errormsg}", fmt.Sprintf("http://%s:%d/", c.host, c.out.refused))
		c.traced("WSPConnect", c.out.http, c.out.refused)
		return said + firstLine(refused)
	},
}
