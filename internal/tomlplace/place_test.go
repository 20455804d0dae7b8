package tomlplace

import (
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"
)

func TestOf(t *testing.T) {
	for text, want := range map[string]string{
		"a = 1\nb = 'x'":                `line 2: `,
		"a = 1\n\nc = 2":                `line 3: there is no key "c"`,
		"a =":                           `line 1: `,
		"\"x\\ny\" = 1":                 `line 1: there is no key "x\`,
		strings.Repeat("x", 999) + "=1": `line 1: there is no key "xxx`,
	} {
		var v struct{ A, B int }
		err := toml.NewDecoder(strings.NewReader(text)).DisallowUnknownFields().Decode(&v)
		if err == nil {
			t.Fatalf("%q is decoded", text)
		}
		if got := Of(err).Error(); !strings.HasPrefix(got, want) || strings.ContainsAny(got, "\n\r") || len(got) > longest+100 {
			t.Errorf("%q: %q, want %s", text, got, want)
		}
	}
}
