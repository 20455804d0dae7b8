package matrix

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"sync"
	"testing"

	"upcall.dev/internal/freeport"
)

var gitRow = row{
	name:  "git",
	work:  "clone, push and deletion over HTTP, clone over git://, a refused port",
	needs: []string{"git", "git-daemon"},
	outside: func(t testing.TB, o *outside) {
		webAndRefused(t, o)
		repository(t, o)
		o.server = freeport.Take(t)
		o.run(t, o.server, command{args: []string{"git-daemon", "--listen=127.0.0.1", "--reuseaddr", "--export-all", "--base-path=" + o.dir, fmt.Sprint("--port=", o.server)}})
	},
	do: func(c *cell) string {
		said := c.script(gitIdentity+`
git clone -q http://$1:$2/git/served.git a && git -C a log --format='%H %s'
cd a && echo new >new && git add new && git commit -q -m second
git push -q origin HEAD:work; git ls-remote origin; git push -q origin :work; git ls-remote origin
cd .. && git clone -q git://$1:$3/served.git b && git -C b fsck 2>&1 && git -C b rev-parse HEAD
ls b | wc -l
git clone -q http://$1:$4/git/served.git c 2>/dev/null; echo refused $?
`, c.host, c.out.http, c.out.server, c.out.refused)
		c.connected(c.out.http, c.out.server, c.out.refused)
		return said
	},
}

const gitIdentity = `
export GIT_CONFIG_NOSYSTEM=1 GIT_TERMINAL_PROMPT=0
export GIT_AUTHOR_NAME=n GIT_AUTHOR_EMAIL=e GIT_AUTHOR_DATE=@1700000000+0000
export GIT_COMMITTER_NAME=n GIT_COMMITTER_EMAIL=e GIT_COMMITTER_DATE=@1700000000+0000
`

// repository makes served.git, with 200 files, which everybody can push to.
func repository(t testing.TB, o *outside) {
	t.Helper()
	p := start(t, command{dir: o.dir, args: []string{"/bin/sh", "-ec", gitIdentity + `
git init -q -b main source && cd source
for i in $(seq 200); do seq $i $((i + 500)) >file$i; done
git add . && git commit -q -m first && cd ..
git clone -q --bare source served.git && git -C served.git config http.receivepack true
`}})
	if status, out := p.finish(t); status != 0 {
		t.Fatalf("git: status %d: %s", status, out)
	}
}

var sshRow = row{
	name:  "ssh",
	work:  "1 MiB to a command and back, its status, a forwarded connection, git and sftp over it, a refused port",
	needs: []string{"ssh", "sshd", "ssh-keygen", "sftp", "git"},
	outside: func(t testing.TB, o *outside) {
		webAndRefused(t, o)
		repository(t, o)
		o.run(t, o.server, sshd(t, o))
	},
	do: func(c *cell) string {
		said := sshWork(c, "127.0.0.1")
		c.connected(c.out.server, c.out.refused)
		return said
	},
}

var sshdRow = row{
	name:   "sshd",
	server: true,
	work:   "serves the work of *ssh*",
	needs:  []string{"ssh", "sshd", "ssh-keygen", "sftp", "git"},
	outside: func(t testing.TB, o *outside) {
		webAndRefused(t, o)
		repository(t, o)
		sshd(t, o)
	},
	do: func(c *cell) string {
		c.serve(c.out.server, sshdCommand(c.out))
		said := sshWork(c.besides(), c.host)
		c.accepted(c.out.server)
		return said
	},
}

// privileges is the directory that sshd wants when root runs it, as its start at
// boot makes it.
const privileges = "/run/sshd"

// sshdDirectory makes it once; TestMain removes it.
var sshdDirectory = sync.OnceValue(func() error {
	err := os.Mkdir(privileges, 0o755)
	madeDirectory = err == nil
	if os.IsExist(err) {
		return nil
	}
	return err
})

var madeDirectory bool

// sshd makes keys and configuration, for the user who runs the tests, and returns
// the command that runs the server.
func sshd(t testing.TB, o *outside) command {
	t.Helper()
	if err := sshdDirectory(); err != nil && os.Geteuid() == 0 {
		t.Skip("sshd of root: ", err)
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	o.user, o.server = me.Username, freeport.Take(t)
	for _, name := range []string{"host", "login"} {
		if status, out := start(t, command{dir: o.dir, args: []string{need(t, "ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", name}}).finish(t); status != 0 {
			t.Fatalf("ssh-keygen: status %d: %s", status, out)
		}
	}
	write(t, filepath.Join(o.dir, "sshd_config"), fmt.Sprintf(`
ListenAddress 127.0.0.1:%[2]d
HostKey %[1]s/host
AuthorizedKeysFile %[1]s/login.pub
StrictModes no
UsePAM no
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
PidFile none
UseDNS no
PrintMotd no
SetEnv HOME=%[1]s
Subsystem sftp internal-sftp
`, o.dir, o.server))
	return sshdCommand(o)
}

func sshdCommand(o *outside) command {
	return command{args: []string{"sshd", "-D", "-e", "-f", filepath.Join(o.dir, "sshd_config")}}
}

// sshWork does its work; the web server is at that address for the SSH server.
func sshWork(c *cell, web string) string {
	return c.script(gitIdentity+`
login="-F none -i $4/login -o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=known -o LogLevel=ERROR"
head -c 1048576 /dev/zero | tr '\0' s | ssh $login -p $2 $5@$1 'cat; echo; echo $SSH_CONNECTION | cut -d" " -f1,3; exit 7' >came; echo status $?
head -c 1048576 came | sha256sum; tail -1 came
printf 'GET /hello HTTP/1.0\r\n\r\n' | ssh $login -p $2 -W $7:$6 $5@$1 | tail -1
GIT_SSH_COMMAND="ssh $login" git clone -q ssh://$5@$1:$2$4/served.git clone && git -C clone rev-parse HEAD
echo "get $4/served.git/packed-refs got" | sftp $login -b - -P $2 $5@$1 >/dev/null && sha256sum got
ssh $login -p $3 $5@$1 true 2>/dev/null </dev/null; echo refused $?
`, c.host, c.out.server, c.out.refused, c.out.dir, c.out.user, c.out.http, web)
}
