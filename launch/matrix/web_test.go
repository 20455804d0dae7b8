package matrix

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"upcall.dev/internal/freeport"
)

func webAndRefused(t testing.TB, o *outside) {
	o.web(t)
	o.nobodyThere(t)
}

var curlRow = row{
	name:    "curl",
	work:    "GET, POST of 16 MiB, a redirect, 20 requests at once, a 404, a refused port",
	needs:   []string{"curl"},
	outside: webAndRefused,
	do: func(c *cell) string {
		said := c.script(`
curl -sS -w '%{http_code} %{remote_ip} %{num_connects}\n' http://$1:$2/hello
curl -sS -L -w '%{http_code} %{num_redirects} %{url_effective}\n' http://$1:$2/moved
curl -sS -Z --parallel-immediate --no-progress-meter "http://$1:$2/hello?[1-20]"
curl -sS -f http://$1:$2/missing
curl -sS http://$1:$2/big | tee big | sha256sum
curl -sS -H Expect: --data-binary @big http://$1:$2/hash
curl -s http://$1:$3/; echo refused $?
`, c.host, c.out.http, c.out.refused)
		c.connected(c.out.http, c.out.refused)
		return said
	},
}

var wgetRow = row{
	name:    "wget",
	work:    "a page with all that it needs, a redirect, POST, 16 MiB, a 404, a refused port",
	needs:   []string{"wget"},
	outside: webAndRefused,
	do: func(c *cell) string {
		said := c.script(`
wget -q -r -l 1 -p -nH http://$1:$2/pages/page.html && find pages -type f | sort | xargs sha256sum
wget -q -O - http://$1:$2/moved
wget -q -O - --post-data=posted http://$1:$2/hash
wget -q -O - http://$1:$2/big | sha256sum
wget -q -O - http://$1:$2/missing; echo missing $?
wget -q -O - -t 1 http://$1:$3/; echo refused $?
`, c.host, c.out.http, c.out.refused)
		c.connected(c.out.http, c.out.refused)
		return said
	},
}

var chromiumRow = row{
	name:    "chromium",
	work:    "headless: a page with a style, a picture and a script that asks for more; the finished document",
	needs:   []string{"chromium"},
	outside: webAndRefused,
	do: func(c *cell) string {
		sandbox := "--enable-sandbox"
		if os.Geteuid() == 0 || os.Getenv(worldMarker) != "" { // where it has none
			sandbox = "--no-sandbox"
		}
		said := c.script(`
chromium --headless $3 --disable-gpu --no-first-run --disable-dev-shm-usage --user-data-dir=$PWD/profile --dump-dom http://$1:$2/pages/page.html 2>errors || { echo status $?; tail -5 errors; }
`, c.host, c.out.http, sandbox)
		c.connected(c.out.http)
		return said
	},
}

var nginxRow = row{
	name:   "nginx",
	server: true,
	work:   "two workers, files of 6 bytes and 16 MiB, 100 requests",
	needs:  []string{"nginx", "curl"},
	outside: func(t testing.TB, o *outside) {
		o.server = freeport.Take(t)
		write(t, filepath.Join(o.dir, "hello"), "hello\n")
		write(t, filepath.Join(o.dir, "big"), big())
	},
	do: func(c *cell) string {
		c.serve(c.out.server, nginx(c, fmt.Sprintf("root %s;", c.out.dir)))
		said := nginxWork(c.besides())
		c.accepted(c.out.server)
		return said
	},
}

var nginxProxyRow = row{
	name:   "nginx, reverse proxy",
	server: true,
	work:   "the same from a server behind it, and POST of 16 MiB",
	needs:  []string{"nginx", "curl"},
	outside: func(t testing.TB, o *outside) {
		o.server = freeport.Take(t)
		o.web(t)
	},
	do: func(c *cell) string {
		c.serve(c.out.server, nginx(c, fmt.Sprintf("client_max_body_size 32m; location / { proxy_pass http://%s:%d; }", c.host, c.out.http)))
		said := nginxWork(c.besides()) + c.besides().script(`
curl -sS http://$1:$2/big | curl -sS -H Expect: --data-binary @- http://$1:$2/hash
`, "127.0.0.1", c.out.server)
		c.accepted(c.out.server)
		c.connected(c.out.http)
		return said
	},
}

// nginx is the command that runs it with what it serves.
func nginx(c *cell, serves string) command {
	config := filepath.Join(c.dir, "nginx.conf")
	write(c, config, fmt.Sprintf(`
daemon off;
worker_processes 2;
pid %[1]s/pid;
events { worker_connections 256; }
http {
    access_log off;
    client_body_temp_path %[1]s/body;
    proxy_temp_path %[1]s/proxy;
    fastcgi_temp_path %[1]s/fastcgi;
    uwsgi_temp_path %[1]s/uwsgi;
    scgi_temp_path %[1]s/scgi;
    server {
        listen 127.0.0.1:%[2]d;
        add_header X-Seen "$remote_addr $server_addr";
        %[3]s
    }
}
`, c.dir, c.out.server, serves))
	return command{args: []string{"nginx", "-p", c.dir, "-c", config, "-e", "stderr"}}
}

func nginxWork(c *cell) string {
	return c.script(`
curl -sS -w '%{http_code} %header{x-seen}\n' http://$1:$2/hello
curl -sS -Z --parallel-immediate --no-progress-meter "http://$1:$2/hello?[1-100]" | sort | uniq -c
curl -sS http://$1:$2/big | sha256sum
curl -sS -o answer -w '%{http_code}\n' http://$1:$2/missing
`, c.host, c.out.server)
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
