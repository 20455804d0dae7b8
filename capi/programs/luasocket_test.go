package programs

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"upcall.dev/internal/freeport"
)

// lua builds the interpreter, and luasocket for it: its wsocket.c, or for Linux
// its usocket.c. It returns the interpreter and the directory with the modules.
func lua(t *testing.T, native bool) (interpreter, modules string) {
	script := fetch(t, "lua5.1")
	interpreter = program{name: "lua", source: script, native: true, units: []unit{{
		files: []string{"src/l[^u]*.c", "src/lundump.c", "src/lua.c"},
		flags: []string{"-DLUA_USE_POSIX", "-DLUA_USE_DLOPEN"},
	}}, link: []string{"-Wl,-E", "-lm", "-ldl"}}.build(t)

	sockets := fetch(t, "luasocket")
	part := func(name string, files ...string) string {
		flags := []string{"-I" + filepath.Join(script.dir, "src"), "-DLUASOCKET_DEBUG"}
		if native {
			flags = append(flags, "-DLUASOCKET_API=__attribute__((visibility(\"default\")))")
		} else {
			// Its io.h is not Microsoft's.
			flags = windows(append(flags, "-iquote", "src", "-include", "errno.h")...)
		}
		for i := range files {
			files[i] = "src/" + files[i] + ".c"
		}
		return program{name: name, source: sockets, native: native, module: true, units: []unit{{files: files, flags: flags}}}.build(t)
	}
	system := "wsocket"
	if native {
		system = "usocket"
	}
	socket := part("core.so", "luasocket", "timeout", "buffer", "io", "auxiliar", "compat", "options", "inet", "except", "select", "tcp", "udp", system)
	mime := part("core.so", "mime", "compat")

	modules = t.TempDir()
	for name, from := range map[string]string{"socket/core.so": socket, "mime/core.so": mime, "socket.lua": "socket.lua", "mime.lua": "mime.lua", "ltn12.lua": "ltn12.lua"} {
		if !filepath.IsAbs(from) {
			from = filepath.Join(sockets.dir, "src", from)
		}
		to := filepath.Join(modules, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(from, to); err != nil {
			t.Fatal(err)
		}
	}
	return interpreter, modules
}

// luasocket's own test client, without the parts that sleep to see
// that timeouts expire, and the one that connects to a host elsewhere.
func luasocketClient(t *testing.T) string {
	text := contents(t, filepath.Join(fetch(t, "luasocket").dir, "test", "testclnt.lua"))
	text, rest, ok := strings.Cut(text, `test("total timeout on send")`)
	_, end, ok2 := strings.Cut(rest, `test("shutting server down")`)
	if !ok || !ok2 {
		t.Fatal("luasocket's test client is another than expected")
	}
	for _, call := range []string{"\nconnect_timeout()\n", "\naccept_timeout()\n"} {
		if !strings.Contains(text, call) {
			t.Fatalf("luasocket's test client has no %q", call)
		}
		text = strings.Replace(text, call, "\n", 1)
	}
	text = strings.ReplaceAll(text, "(8000000)", "(80000)")
	path := filepath.Join(t.TempDir(), "testclnt.lua")
	if err := os.WriteFile(path, []byte(text+end+"\nprint('all done')\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLuasocket(t *testing.T) {
	client := luasocketClient(t)
	server := filepath.Join(fetch(t, "luasocket").dir, "test", "testsrvr.lua")
	interpreter, ours := lua(t, false)
	_, native := lua(t, true)
	run := func(t *testing.T, chain, modules, port, script string) *process {
		t.Helper()
		setup := "package.path=[[" + modules + "/?.lua]] package.cpath=[[" + modules + "/?.so]] host=[[127.0.0.1]] port=[[" + port + "]] io.stdout:setvbuf([[line]])"
		return start(t, chain, interpreter, "-e", setup, script)
	}
	over(t, []string{"WSPSocket", "WSPBind", "WSPListen", "WSPAccept", "WSPSelect", "WSPSend", "WSPRecv", "WSPCloseSocket"}, func(t *testing.T, chain string) {
		roles := map[string][2]string{"server": {ours, native}, "client": {native, ours}}
		switch { // one is enough over the layers: a run is long
		case strings.HasSuffix(t.Name(), "/trace"):
			delete(roles, "client")
		case strings.HasSuffix(t.Name(), "/shape"):
			delete(roles, "server")
		}
		for name, modules := range roles {
			t.Run(name, func(t *testing.T) {
				port := strconv.Itoa(freeport.Take(t))
				s := run(t, chain, modules[0], port, server)
				s.until(t, "waiting for client connection")
				c := run(t, chain, modules[1], port, client)
				if text := c.wait(t); strings.Contains(c.notes.String(), "ERROR") || !strings.Contains(text, "all done") {
					t.Fatal("the client has found something wrong")
				}
				s.wait(t)
			})
		}
	})
}
