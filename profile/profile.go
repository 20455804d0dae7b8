package profile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"upcall.dev/internal/tomlplace"
	"upcall.dev/internal/trusted"
)

// FileName is what the file is called, in the directory of the catalog.
const FileName = "profiles.toml"

// largestFile bounds the file, in bytes.
const largestFile = 1 << 20

// PathBeside returns where the profiles of a catalog file are, nothing for a
// catalog without a file.
func PathBeside(catalogPath string) string {
	if catalogPath == "" {
		return ""
	}
	return filepath.Join(filepath.Dir(catalogPath), FileName)
}

// File is the profiles of one user.
type File struct {
	Path         string // it was read from
	Profiles     map[string]*Profile
	Applications []Application // which profile a program gets unless one is named
}

// Application is a rule by program: the first whose globs match counts.
type Application struct {
	Programs   []Glob   // of whole paths, or of names in the directories of PATH
	Profile    string   // in a File
	Categories []string // in a Profile: what the programs permit, by the names of LSP_ bits
}

// Profile is how a program is run.
type Profile struct {
	Name           string
	Through        []Layer       // outermost first; none: the catalog decides
	Over           string        // base provider under the chain; empty: the catalog's first
	OnFailure      string        // "closed", "open", or empty for the default
	ConnectTimeout time.Duration // 0: the default
	Isolate        bool
	Verbose        bool
	Chains         map[string][]Layer // further chains, for rules that send sockets there
	Applications   []Application      // which layers programs load
}

// Error is a file that cannot be used. Its text is one line that ends with the
// way out.
type Error struct {
	Path string
	Err  error
}

func (e *Error) Error() string { return fmt.Sprintf("profiles %s: %v", e.Path, e.Err) }

// Unwrap returns what is wrong.
func (e *Error) Unwrap() error { return e.Err }

// Load reads the file at path. A file that is not there has no profiles. One
// that others can write to, or that has a mistake, is refused as a whole with an
// *Error, for it decides where connections go.
func Load(path string) (*File, error) {
	if path == "" {
		return &File{}, nil
	}
	text, _, err := trusted.Read(path, largestFile)
	if errors.Is(err, fs.ErrNotExist) {
		return &File{Path: path}, nil
	}
	if err != nil {
		return nil, &Error{path, err}
	}
	f, err := Parse(text, filepath.Dir(path))
	if err != nil {
		return nil, &Error{path, fmt.Errorf("%w; mend it, nothing of it is used until then", err)}
	}
	f.Path = path
	return f, nil
}

// Lookup returns the profile of that name. The error lists those that there are.
func (f *File) Lookup(name string) (*Profile, error) {
	if p := f.Profiles[name]; p != nil {
		return p, nil
	}
	if len(f.Profiles) == 0 {
		return nil, fmt.Errorf("there is no profile %q: %s has none, write [profile.%s] there", name, f.place(), name)
	}
	return nil, fmt.Errorf("there is no profile %q in %s: choose one of %s", name, f.place(), strings.Join(f.Names(), ", "))
}

func (f *File) place() string {
	if f.Path == "" {
		return FileName + " (which needs a home directory)"
	}
	return f.Path
}

// Names returns the profiles' names in order.
func (f *File) Names() []string { return slices.Sorted(maps.Keys(f.Profiles)) }

// Choose returns the profile that the file wants for the program at a whole
// path, nil when it wants none.
func (f *File) Choose(program string) *Profile {
	for i := range f.Applications {
		if f.Applications[i].matches(program) {
			return f.Profiles[f.Applications[i].Profile]
		}
	}
	return nil
}

func (a *Application) matches(program string) bool {
	return slices.ContainsFunc(a.Programs, func(g Glob) bool { return g.matches(program) })
}

// document is the file.
type document struct {
	Profiles     map[string]*profileTable `toml:"profile"`
	Applications []chooseTable            `toml:"application"`
}

type profileTable struct {
	Through        []Layer            `toml:"through"`
	Over           base               `toml:"over"`
	OnFailure      onFailure          `toml:"on-failure"`
	ConnectTimeout timeout            `toml:"connect-timeout"`
	Isolate        bool               `toml:"isolate"`
	Verbose        bool               `toml:"verbose"`
	Chains         map[string][]Layer `toml:"chains"`
	Applications   []permitTable      `toml:"application"`
}

type chooseTable struct {
	Programs globs  `toml:"program"`
	Profile  string `toml:"profile"`
}

type permitTable struct {
	Programs   globs      `toml:"program"`
	Categories []category `toml:"categories"`
}

// Parse reads a profiles file. Relative file names in it are of the directory
// dir. Its one-line error says where the text is wrong.
func Parse(text []byte, dir string) (*File, error) {
	var d document
	if err := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(&d); err != nil {
		return nil, tomlplace.Of(err)
	}
	f := &File{Profiles: map[string]*Profile{}}
	for _, name := range slices.Sorted(maps.Keys(d.Profiles)) {
		p, err := d.Profiles[name].profile(name, dir)
		if err != nil {
			return nil, fmt.Errorf("profile %q: %w", name, err)
		}
		f.Profiles[name] = p
	}
	for i, a := range d.Applications {
		where := fmt.Sprintf("[[application]] number %d", i+1)
		if len(a.Programs) == 0 {
			return nil, fmt.Errorf("%s: name its program", where)
		}
		if f.Profiles[a.Profile] == nil {
			return nil, fmt.Errorf("%s: there is no profile %q", where, a.Profile)
		}
		f.Applications = append(f.Applications, Application{Programs: a.Programs.list(), Profile: a.Profile})
	}
	return f, nil
}

func (t *profileTable) profile(name, dir string) (*Profile, error) {
	if !validName(name) {
		return nil, errors.New("a name has letters, digits, - and _ alone")
	}
	p := &Profile{
		Name: name, Through: t.Through, Over: t.Over.name, OnFailure: t.OnFailure.what,
		ConnectTimeout: time.Duration(t.ConnectTimeout), Isolate: t.Isolate, Verbose: t.Verbose, Chains: t.Chains,
	}
	for i := range p.Through {
		if err := p.Through[i].complete(dir); err != nil {
			return nil, fmt.Errorf("through: %w", err)
		}
	}
	for _, chain := range slices.Sorted(maps.Keys(p.Chains)) {
		if !validName(chain) {
			return nil, fmt.Errorf("chains: %q: a name has letters, digits, - and _ alone", chain)
		}
		if len(p.Chains[chain]) == 0 {
			return nil, fmt.Errorf("chains: %s has no layer: name one, or leave it out", chain)
		}
		for i := range p.Chains[chain] {
			if err := p.Chains[chain][i].complete(dir); err != nil {
				return nil, fmt.Errorf("chains: %s: %w", chain, err)
			}
		}
	}
	for i, a := range t.Applications {
		if len(a.Programs) == 0 || len(a.Categories) == 0 {
			return nil, fmt.Errorf("application number %d: name its program and its categories", i+1)
		}
		rule := Application{Programs: a.Programs.list()}
		for _, c := range a.Categories {
			rule.Categories = append(rule.Categories, c.name)
		}
		p.Applications = append(p.Applications, rule)
	}
	return p, nil
}

func validName(name string) bool {
	return name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == ""
}

// Find returns the whole path of the program that a command line names, as a
// shell would find it; empty when there is none.
func Find(program string) string {
	if strings.Contains(program, "/") {
		path, err := filepath.Abs(program)
		if err != nil {
			return ""
		}
		return path
	}
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		path := filepath.Join(dir, program)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 && filepath.IsAbs(path) {
			return path
		}
	}
	return ""
}
