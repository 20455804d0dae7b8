package main

import (
	"maps"
	"strings"
	"testing"

	"upcall.dev/catalog"
)

// Whatever is given to --through is refused with one line, or means a layer
// that a catalog can be composed of, with options that its path carries.
func FuzzThrough(f *testing.F) {
	for _, text := range []string{
		"trace", "trace:data=on,file=/tmp/x", "shape:delay=20ms,rate=1M", "shape:", "shape:delay", "shape:delay=1,delay=2",
		"nobody", ":", "trace:=", "trace:file=a=b", "kernel", "trace:file=a,b=c", "trace:file=%00&x?y",
	} {
		f.Add(text)
	}
	base := catalog.Default()
	f.Fuzz(func(t *testing.T, text string) {
		var l layerFlag
		if err := l.UnmarshalText([]byte(text)); err != nil {
			if strings.Contains(err.Error(), "\n") && !strings.Contains(text, "\n") {
				t.Fatalf("%q: the message has several lines: %v", text, err)
			}
			return
		}
		given := maps.Clone(l.Options)
		composed, err := catalog.Compose(base, "memory", []catalog.Layer{{Name: l.Name, Options: l.Options}})
		if err != nil {
			return // the composition names what is wrong
		}
		if !maps.Equal(given, l.Options) {
			t.Fatalf("%q: the options were changed", text)
		}
		if problems := composed.Check(); len(problems) > 0 {
			t.Fatalf("%q makes a catalog with %v", text, problems)
		}
	})
}
