package profile

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"upcall.dev/catalog"
	"upcall.dev/spi"
)

// Layer is a layer of a chain. In the file it is a string, as on the command
// line, or a table, for values that have a comma and for categories.
type Layer struct {
	Name       string      `toml:"layer"`
	Options    spi.Options `toml:"options"`
	Categories []string    `toml:"categories"` // what it is, by the names of LSP_ bits
}

// UnmarshalText reads NAME or NAME:KEY=VALUE,KEY=VALUE, and checks that there is
// such a layer with such options.
func (l *Layer) UnmarshalText(text []byte) error {
	name, rest, hasOptions := strings.Cut(string(text), ":")
	d, ok := spi.LookupDriver(name)
	if !ok || !d.Layer() {
		return fmt.Errorf("no layer is called %q: choose one of %s", name, strings.Join(driverNames(true), ", "))
	}
	*l = Layer{Name: name, Options: spi.Options{}}
	if !hasOptions {
		return nil
	}
	var err error
	l.Options, err = ParseOptions(d, rest)
	return err
}

// String is the inverse of UnmarshalText, without categories.
func (l Layer) String() string {
	pairs := make([]string, 0, len(l.Options))
	for _, key := range slices.Sorted(maps.Keys(l.Options)) {
		pairs = append(pairs, key+"="+l.Options[key])
	}
	if len(pairs) == 0 {
		return l.Name
	}
	return l.Name + ":" + strings.Join(pairs, ",")
}

// complete checks what the file has as a table, and makes the options that are
// file names whole paths, from dir.
func (l *Layer) complete(dir string) error {
	if l.Name == "" {
		return errors.New("a layer has no name: write \"LAYER\" or {layer = \"LAYER\"}")
	}
	d, ok := spi.LookupDriver(l.Name)
	if !ok || !d.Layer() {
		return fmt.Errorf("no layer is called %q: choose one of %s", l.Name, strings.Join(driverNames(true), ", "))
	}
	if err := d.CheckOptions(l.Options); err != nil {
		return err
	}
	if _, err := catalog.ParseCategories(l.Categories); err != nil {
		return err
	}
	for _, o := range d.Options {
		if value := l.Options[o.Name]; o.Path && value != "" && value != "-" && !filepath.IsAbs(value) {
			l.Options[o.Name] = filepath.Join(dir, value)
		}
	}
	return nil
}

// ParseOptions reads KEY=VALUE,... and checks that the driver knows each key.
func ParseOptions(d spi.Driver, text string) (spi.Options, error) {
	options := spi.Options{}
	for pair := range strings.SplitSeq(text, ",") {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return nil, fmt.Errorf("%q is not an option of %s: write %s:KEY=VALUE,KEY=VALUE", pair, d.Name, d.Name)
		}
		if first, twice := options[key]; twice {
			return nil, fmt.Errorf("%s is given %s=%s and %s=%s: leave one out", d.Name, key, first, key, value)
		}
		options[key] = value
	}
	return options, d.CheckOptions(options)
}

func driverNames(layers bool) (names []string) {
	for _, d := range spi.Drivers() {
		if d.Layer() == layers {
			names = append(names, d.Name)
		}
	}
	return names
}

// base is the name of a base provider.
type base struct{ name string }

func (b *base) UnmarshalText(text []byte) error {
	d, ok := spi.LookupDriver(string(text))
	if !ok || d.Layer() {
		return fmt.Errorf("no base provider is called %q: choose one of %s", text, strings.Join(driverNames(false), ", "))
	}
	b.name = string(text)
	return nil
}

// onFailure is what becomes of a program whose chain cannot start.
type onFailure struct{ what string }

func (o *onFailure) UnmarshalText(text []byte) error {
	if s := string(text); s != "closed" && s != "open" {
		return fmt.Errorf("%q is not known: choose closed, to run nothing without its chain, or open", s)
	}
	o.what = string(text)
	return nil
}

// timeout is a duration above zero.
type timeout time.Duration

func (t *timeout) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	if err != nil || d <= 0 {
		return fmt.Errorf("%q is no time to connect: write one above 0, such as 30s", text)
	}
	*t = timeout(d)
	return nil
}

// category is the name of one LSP_ bit.
type category struct{ name string }

func (c *category) UnmarshalText(text []byte) error {
	_, err := catalog.ParseCategories([]string{string(text)})
	c.name = string(text)
	return err
}

// Glob is a set of programs: a whole path, in which * stands for anything
// without a slash and ? for one byte, or a name without slashes, of a program
// in a directory of PATH.
type Glob string

// UnmarshalText checks that it is one.
func (g *Glob) UnmarshalText(text []byte) error {
	*g = Glob(text)
	if len(text) == 0 {
		return errors.New("an empty program matches nothing: name one")
	}
	if strings.Contains(string(text), "/") && !filepath.IsAbs(string(text)) {
		return fmt.Errorf("%q is no whole path: begin it with /, or give the name alone", text)
	}
	if strings.Contains(string(text), "**") {
		return fmt.Errorf("%q: ** means nothing here, * is anything without a slash", text)
	}
	if _, err := filepath.Match(string(text), ""); err != nil {
		return fmt.Errorf("%q is no glob of paths: a [ is not closed", text)
	}
	return nil
}

func (g Glob) matches(program string) bool {
	if !strings.Contains(string(g), "/") {
		program = filepath.Base(program)
	}
	matches, err := filepath.Match(string(g), program)
	return err == nil && matches && program != ""
}

// mostPrograms bounds what one glob stands for.
const mostPrograms = 4096

// programs returns the files that a glob stands for now, and itself when it is
// one path.
func (g Glob) programs() (paths []string, err error) {
	if !strings.Contains(string(g), "/") {
		for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
			if !filepath.IsAbs(dir) {
				continue
			}
			found, err := filepath.Glob(filepath.Join(escapeGlob(dir), string(g)))
			if err != nil {
				return nil, err
			}
			paths = append(paths, found...)
		}
	} else if !strings.ContainsAny(string(g), `*?[\`) {
		return []string{filepath.Clean(string(g))}, nil
	} else if paths, err = filepath.Glob(string(g)); err != nil {
		return nil, err
	}
	if len(paths) > mostPrograms {
		return nil, fmt.Errorf("program %q stands for %d files: %d are the most, name fewer", string(g), len(paths), mostPrograms)
	}
	return paths, nil
}

func escapeGlob(dir string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}

// globs is one glob or several.
type globs []globText

// globText is a Glob in the file. These types are structures, for the TOML
// library asks no string to read itself.
type globText struct{ glob Glob }

func (g *globText) UnmarshalText(text []byte) error { return g.glob.UnmarshalText(text) }

func (g *globs) UnmarshalText(text []byte) error {
	var one globText
	err := one.UnmarshalText(text)
	*g = globs{one}
	return err
}

func (g globs) list() []Glob {
	all := make([]Glob, len(g))
	for i := range g {
		all[i] = g[i].glob
	}
	return all
}
