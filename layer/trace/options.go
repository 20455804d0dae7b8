package trace

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"upcall.dev/layer"
	"upcall.dev/spi"
)

// defaultPreview is how many bytes of a transfer a line shows.
const defaultPreview = 64

// mostPreview bounds the preview option, so that a line stays one write.
const mostPreview = 1 << 16

var options = []spi.Option{
	{Name: "file", Path: true, Help: "file to append to, such as /var/log/net.trace; without it the lines go to standard error"},
	{Name: "format", Default: "text", Help: "text or json, one object a line"},
	{Name: "data", Default: "off", Help: "on shows what every transfer carries, for programs whose reads and writes bypass the layers"},
	{Name: "preview", Default: strconv.Itoa(defaultPreview), Help: "bytes of each transfer that data=on shows, up to 65536"},
	{Name: "calls", Default: "all", Help: "functions to trace, such as connect+accept+closesocket"},
}

// config is the options, read.
type config struct {
	file    string
	json    bool
	data    bool
	preview int
	calls   uint64 // bit per function
}

func parse(o spi.Options) (config, error) {
	c := config{file: o["file"], preview: defaultPreview, calls: ^uint64(0)}
	if name, set := o["file"]; set && name == "" {
		return c, fmt.Errorf("file=%q names no file: give a path, or leave it out for standard error", name)
	}
	format, err := layer.Choice(o, "format", "text", "json")
	if err != nil {
		return c, err
	}
	data, err := layer.Choice(o, "data", "off", "on")
	if err != nil {
		return c, err
	}
	c.json, c.data = format == "json", data == "on"
	if value, set := o["preview"]; set {
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 || n > mostPreview {
			return c, fmt.Errorf("preview=%q is no number of bytes: choose 0 to %d", value, mostPreview)
		}
		c.preview = n
	}
	if value, set := o["calls"]; set && value != "all" {
		if c.calls, err = parseCalls(value); err != nil {
			return c, err
		}
	}
	return c, nil
}

// check reads the options when the layer is loaded. A trace file that cannot
// be written is found here if possible, where somebody reads the error; the
// file is not made before the start, for catalogs are also checked without one.
func check(o spi.Options) error {
	c, err := parse(o)
	if err != nil || c.file == "" {
		return err
	}
	info, err := os.Stat(c.file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, none := os.Stat(filepath.Dir(c.file)); none != nil {
			return unwritable(c.file, &fs.PathError{Op: "open", Path: c.file, Err: errors.Unwrap(none)})
		}
		return nil
	case err == nil && (info.Mode().IsRegular() || info.IsDir()): // others may act on being opened
		var f *os.File
		if f, err = os.OpenFile(c.file, os.O_WRONLY|os.O_APPEND, 0); err == nil {
			err = f.Close()
		}
	}
	if err != nil {
		return unwritable(c.file, err)
	}
	return nil
}

// functions is the thirty names, in the procedure table's order, and those of
// the extension functions; a function's index is its bit in config.calls.
var functions = func() (names []string) {
	t := reflect.TypeFor[spi.Provider]()
	for i := range t.NumMethod() {
		names = append(names, t.Method(i).Name)
	}
	for _, x := range extensionNames {
		names = append(names, x.name)
	}
	return names
}()

// bit returns no bit for a name that is none of functions.
func bit(function string) uint64 {
	i := slices.Index(functions, function)
	if i < 0 {
		return 0
	}
	return 1 << i
}

// short is a function's name without its prefix.
func short(name string) string {
	return strings.TrimPrefix(strings.TrimPrefix(name, "WSP"), "WSA")
}

func parseCalls(list string) (mask uint64, err error) {
	for _, name := range strings.FieldsFunc(list, func(r rune) bool { return r == '+' || r == ',' || r == ' ' }) {
		i := slices.IndexFunc(functions, func(f string) bool {
			return strings.EqualFold(f, name) || strings.EqualFold(short(f), name)
		})
		if i < 0 {
			all := make([]string, len(functions))
			for i, f := range functions {
				all[i] = strings.ToLower(short(f))
			}
			return 0, fmt.Errorf("calls=%q: no function is called %q: join some of %s with +", list, name, strings.Join(all, ", "))
		}
		mask |= 1 << i
	}
	if mask == 0 {
		return 0, fmt.Errorf("calls=%q names no function: write some joined with +, such as connect+accept", list)
	}
	return mask, nil
}
