package matrix

import (
	"strings"
	"testing"
)

// Every program does the same in every column as bare.
func TestPrograms(t *testing.T) {
	proxy := dante(t, "127.0.0.1", "127.0.0.1", "lo")
	upcall(t)
	for _, r := range rows {
		t.Run(slug(r.name), func(t *testing.T) {
			t.Parallel()
			for _, program := range r.needs {
				need(t, program)
			}
			o := &outside{dir: openDir(t)}
			if r.outside != nil {
				r.outside(t, o)
			}
			want := r.do(newCell(t, bare, o, proxy))
			t.Log(want)
			for _, c := range columns {
				t.Run(slug(c.name), func(t *testing.T) {
					if got := r.do(newCell(t, c, o, proxy)); got != want {
						t.Errorf("under upcall:\n%s\nbare:\n%s", got, want)
					}
				})
			}
		})
	}
}

func slug(name string) string { return strings.ReplaceAll(name, " ", "_") }

// big is 16 MiB of text.
func big() string { return strings.Repeat("0123456789abcdef", bigSize/16) }

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line + "\n"
}
