package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"upcall.dev/catalog"
	"upcall.dev/profile"
)

type profileCommand struct {
	List  listProfiles  `cmd:"" help:"List the profiles, and the programs that get one by themselves."`
	Show  showProfile   `cmd:"" help:"Show one profile."`
	Check checkProfiles `cmd:"" help:"Say what is wrong in the profiles and what to do."`
}

func (profileCommand) Help() string {
	return `A profile is a named way to run programs, in the file profiles.toml beside the
catalog. For example:

  [profile.work]
  through = ["filter:rules=work-rules.toml", "trace:file=/tmp/calls.log"]
  connect-timeout = "30s"

  [[application]]
  program = ["firefox", "/opt/work/bin/*"]
  profile = "work"

  upcall run --profile work -- ./program
  upcall run -- firefox`
}

// profileView is a profile as the reading commands print it.
type profileView struct {
	Name           string              `json:"name"`
	Through        []string            `json:"through"`
	Over           string              `json:"over,omitempty"`
	Chains         map[string][]string `json:"chains,omitempty"`
	OnFailure      string              `json:"on_failure,omitempty"`
	ConnectTimeout string              `json:"connect_timeout,omitempty"`
	Isolate        bool                `json:"isolate,omitempty"`
	Verbose        bool                `json:"verbose,omitempty"`
	Permits        []permitView        `json:"applications,omitempty"`
	Programs       []string            `json:"programs,omitempty"` // that get it by themselves
}

type permitView struct {
	Programs   []string `json:"programs"`
	Categories []string `json:"categories"`
}

func profileViewOf(f *profile.File, p *profile.Profile) profileView {
	v := profileView{Name: p.Name, Through: layerTexts(p.Through), Over: p.Over, OnFailure: p.OnFailure, Isolate: p.Isolate, Verbose: p.Verbose}
	if p.ConnectTimeout > 0 {
		v.ConnectTimeout = p.ConnectTimeout.String()
	}
	for name, layers := range p.Chains {
		if v.Chains == nil {
			v.Chains = map[string][]string{}
		}
		v.Chains[name] = layerTexts(layers)
	}
	for _, a := range p.Applications {
		v.Permits = append(v.Permits, permitView{globTexts(a.Programs), a.Categories})
	}
	for _, a := range f.Applications {
		if a.Profile == p.Name {
			v.Programs = append(v.Programs, globTexts(a.Programs)...)
		}
	}
	return v
}

func layerTexts(layers []profile.Layer) []string {
	texts := []string{}
	for _, l := range layers {
		text := l.String()
		if len(l.Categories) > 0 {
			text += " (" + strings.Join(l.Categories, ", ") + ")"
		}
		texts = append(texts, text)
	}
	return texts
}

func globTexts(globs []profile.Glob) []string {
	texts := make([]string, len(globs))
	for i, g := range globs {
		texts[i] = string(g)
	}
	return texts
}

func loadProfiles(file *catalog.File) (*profile.File, error) {
	return profile.Load(profile.PathBeside(file.Path()))
}

type listProfiles struct {
	JSON bool `help:"As JSON."`
}

func (l *listProfiles) Run(std streams, file *catalog.File) error {
	f, err := loadProfiles(file)
	if err != nil {
		return err
	}
	views := []profileView{}
	for _, name := range f.Names() {
		views = append(views, profileViewOf(f, f.Profiles[name]))
	}
	if l.JSON {
		return printJSON(std.out, views)
	}
	w := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "PROFILE\tOVER\tTHROUGH\tPROGRAMS")
	for _, v := range views {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", v.Name, or(v.Over, "-"), printable(or(strings.Join(v.Through, " → "), "-")), printable(or(strings.Join(v.Programs, ", "), "-")))
	}
	return w.Flush()
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

type showProfile struct {
	Profile string `arg:"" predictor:"profile" help:"Its name."`
	JSON    bool   `help:"As JSON."`
}

func (s *showProfile) Run(std streams, file *catalog.File) error {
	f, err := loadProfiles(file)
	if err != nil {
		return err
	}
	p, err := f.Lookup(s.Profile)
	if err != nil {
		return err
	}
	v := profileViewOf(f, p)
	if s.JSON {
		return printJSON(std.out, v)
	}
	w := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
	row := func(key, value string) {
		if value != "" {
			fmt.Fprintf(w, "%s\t%s\n", key, printable(value))
		}
	}
	row("profile", v.Name)
	for _, l := range v.Through {
		row("through", l)
	}
	row("over", v.Over)
	for _, name := range slices.Sorted(maps.Keys(v.Chains)) {
		row("chain "+name, strings.Join(v.Chains[name], " → "))
	}
	row("on failure", v.OnFailure)
	row("connect timeout", v.ConnectTimeout)
	for key, set := range map[string]bool{"isolate": v.Isolate, "verbose": v.Verbose} {
		if set {
			row(key, "yes")
		}
	}
	for _, a := range v.Permits {
		row("permitted to "+strings.Join(a.Programs, ", "), strings.Join(a.Categories, ", "))
	}
	row("programs", strings.Join(v.Programs, ", "))
	return w.Flush()
}

type checkProfiles struct {
	JSON bool `help:"As JSON."`
}

// profileProblem is something that is wrong with a profile.
type profileProblem struct {
	Profile string `json:"profile"`
	Text    string `json:"text"`
}

func (c *checkProfiles) Run(std streams, file *catalog.File) error {
	f, err := loadProfiles(file)
	if err != nil {
		return err
	}
	installed, err := file.Load()
	if err != nil {
		return err
	}
	problems := []profileProblem{}
	for _, name := range f.Names() {
		for _, text := range problemsOf(f.Profiles[name], installed) {
			problems = append(problems, profileProblem{name, text})
		}
	}
	switch {
	case c.JSON:
		if err := printJSON(std.out, problems); err != nil {
			return err
		}
	case len(problems) == 0:
		_, err := fmt.Fprintf(std.out, "%d profiles, nothing wrong\n", len(f.Profiles))
		return err
	default:
		for _, p := range problems {
			if _, err := fmt.Fprintf(std.out, "profile %s: %s\n", p.Profile, p.Text); err != nil {
				return err
			}
		}
	}
	if len(problems) > 0 {
		return exitStatus(exitFailure)
	}
	return nil
}

func problemsOf(p *profile.Profile, installed *catalog.Catalog) (problems []string) {
	c, err := p.Catalog(installed)
	if err != nil {
		return append(problems, err.Error())
	}
	for _, problem := range c.Check() {
		problems = append(problems, problem.String())
	}
	return problems
}
