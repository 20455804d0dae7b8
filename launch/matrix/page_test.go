package matrix

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
)

const pagePath = "../../docs/programs.md"

// The page has every row and column, and says of each cell that it is equal, or
// why there can be none.
func TestPageIsCurrent(t *testing.T) {
	text, err := os.ReadFile(pagePath)
	if err != nil {
		t.Fatal(err)
	}
	if string(text) != page(func(row, column) string { return "equal" }) {
		t.Error("docs/programs.md does not have the rows and columns of this package, or has cells that are not equal: run make programs")
	}
}

// results are the cells of a run that were equal to the bare one.
type results struct {
	mu    sync.Mutex // guards cells
	cells map[string]string
}

func cellName(r row, c column) string { return r.name + "/" + c.name }

func (s *results) equal(r row, c column) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cells[cellName(r, c)] = "equal"
}

// write writes the page where make programs wants it.
func (s *results) write(t *testing.T) {
	if *pageFile == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	text := page(func(r row, c column) string {
		if said := s.cells[cellName(r, c)]; said != "" {
			return said
		}
		return "not equal"
	})
	if err := os.WriteFile(*pageFile, []byte(text), 0o644); err != nil {
		t.Error(err)
	}
}

// cannot tells why a column cannot have the row; empty when it can.
func (r row) cannot(c column) string {
	if r.impossible == nil {
		return ""
	}
	return r.impossible(c)
}

const pageHead = `# Programs

Real programs do a fixed piece of work bare and under every kind of chain of
[upcall run](launcher.md). *Equal* means that statuses, output and hashes of what
was carried are the same as bare, and that the calls have passed the chain.
This page is written by ` + "`make programs`" + `, from a run of the tests.

| chain | |
|---|---|
| IFS chain | ` + "`--through trace`" + ` |
| non-IFS chain | ` + "`--through trace:data=on`" + ` |
| SOCKS chain | ` + "`--through socks`" + `, through Dante, which carries datagrams too |
| --isolate | ` + "`--isolate --through trace`" + ` |

`

const pageFoot = `
Each client also does its work in a network namespace where every packet is
captured and a SOCKS proxy alone can be reached, by names that the proxy alone
knows, with and without ` + "`--isolate`" + `: no packet is to or from anybody else.
`

// page is the page with what is said of each cell.
func page(said func(row, column) string) string {
	var b strings.Builder
	b.WriteString(pageHead)
	var notes []string
	note := func(text string) string {
		at := slices.Index(notes, text)
		if at < 0 {
			at, notes = len(notes), append(notes, text)
		}
		return fmt.Sprintf(" (%d)", at+1)
	}
	for _, servers := range []bool{false, true} {
		title := "Clients"
		if servers {
			title = "Servers"
		}
		fmt.Fprintf(&b, "## %s\n\n| program | work |", title)
		for _, c := range columns {
			fmt.Fprintf(&b, " %s |", c.name)
		}
		b.WriteString("\n|---|---|" + strings.Repeat("---|", len(columns)) + "\n")
		for _, r := range rows {
			if r.server != servers {
				continue
			}
			fmt.Fprintf(&b, "| %s | %s |", r.name, r.work)
			for _, c := range columns {
				text := said(r, c)
				switch why := r.cannot(c); {
				case why != "":
					text = "–" + note(why)
				case servers && c.isolated:
					text += note("the client runs inside as well: what listens there can be reached from inside alone")
				case servers && c.socks:
					text += note("listening sockets do not go through the proxy: clients reach them directly")
				}
				fmt.Fprintf(&b, " %s |", text)
			}
			b.WriteString("\n")
		}
		b.WriteString("\n")
	}
	for i, text := range notes {
		fmt.Fprintf(&b, "%d. %s\n", i+1, text)
	}
	b.WriteString(pageFoot)
	return b.String()
}
