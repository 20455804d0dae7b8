package matrix

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every program does the same in every column as bare.
func TestPrograms(t *testing.T) {
	if os.Getenv(insideMarker) != "" {
		workInside(t)
		return
	}
	proxy := dante(t, "127.0.0.1", "127.0.0.1", "lo")
	upcall(t)
	came := &results{cells: map[string]string{}}
	t.Cleanup(func() { came.write(t) })
	for _, r := range rows {
		t.Run(slug(r.name), func(t *testing.T) {
			t.Parallel()
			o := r.begin(t)
			var want string
			t.Run(bare.name, func(t *testing.T) {
				want = r.do(newCell(t, bare, o, proxy))
				t.Log(want)
			})
			for _, column := range columns {
				if r.cannot(column) != "" {
					continue
				}
				t.Run(slug(column.name), func(t *testing.T) {
					c := newCell(t, column, o, proxy)
					do := r.do
					if r.server && column.isolated {
						do = r.doInside
					}
					if got := do(c); got == want && !t.Failed() {
						came.equal(r, column)
					} else if got != want {
						t.Errorf("under upcall:\n%s\nbare:\n%s", got, want)
					}
				})
			}
		})
	}
}

// begin starts what the program talks to, or skips the test.
func (r row) begin(t *testing.T) *outside {
	t.Helper()
	for _, program := range r.needs {
		need(t, program)
	}
	o := &outside{dir: openDir(t)}
	if r.outside != nil {
		r.outside(t, o)
	}
	return o
}

// insideMarker is the variable by which a copy of the tests learns that it is
// inside the namespace of an isolated program: it has a server's work, as JSON.
const insideMarker = "UPCALL_MATRIX_INSIDE"

type inside struct {
	Row          string
	Dir, User    string
	HTTP, Server int
	Refused      int
	Answer       string // the file for what comes of it
}

// doInside does a server's work within the namespace of one isolated program:
// nobody else can reach the server there.
func (r row) doInside(c *cell) string {
	c.Helper()
	answer := filepath.Join(c.dir, "answer")
	work, err := json.Marshal(inside{r.name, c.out.dir, c.out.user, c.out.http, c.out.server, c.out.refused, answer})
	if err != nil {
		c.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		c.Fatal(err)
	}
	here, err := os.Getwd()
	if err != nil {
		c.Fatal(err)
	}
	status, out := c.launch(command{
		args: []string{self, "-test.run=^TestPrograms$", "-test.v"}, dir: here, home: c.dir,
		env: append([]string{insideMarker + "=" + string(work)}, programs()...),
	}).finish(c.T)
	if status != 0 {
		c.Fatalf("inside, status %d: %s", status, out)
	}
	said, err := os.ReadFile(answer)
	if err != nil {
		c.Fatalf("%v: %s", err, out)
	}
	return string(said)
}

func workInside(t *testing.T) {
	var w inside
	if err := json.Unmarshal([]byte(os.Getenv(insideMarker)), &w); err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if r.name != w.Row {
			continue
		}
		c := newCell(t, bare, &outside{dir: w.Dir, user: w.User, http: w.HTTP, server: w.Server, refused: w.Refused}, "")
		c.host = isolatedLoopback
		if err := os.WriteFile(w.Answer, []byte(r.do(c)), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Fatal(fmt.Errorf("no row is called %q", w.Row))
}

func slug(name string) string { return strings.ReplaceAll(name, " ", "_") }

// big is 16 MiB of text.
func big() string { return strings.Repeat("0123456789abcdef", bigSize/16) }
