package filter

import (
	"bytes"
	"encoding"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"upcall.dev/internal/tomlplace"
	"upcall.dev/spi"
)

// largestFile bounds the rules file, and mostRules what it has.
const (
	largestFile = 1 << 20 // bytes
	mostRules   = 10_000
)

// document is the rules file.
type document struct {
	Default *choice     `toml:"default"`
	Inbound *choice     `toml:"inbound"`
	Error   denial      `toml:"error"`
	Rules   []ruleTable `toml:"rule"`
}

type ruleTable struct {
	Program   list[programGlob]   `toml:"program"`
	Direction list[directionName] `toml:"direction"`
	Protocol  list[protocolName]  `toml:"protocol"`
	Address   list[pattern]       `toml:"address"`
	Port      any                 `toml:"port"`
	Action    actionName          `toml:"action"`
	Error     denial              `toml:"error"`
	Via       any                 `toml:"via"`
}

// list is an array, or one value. Elements are read one by one, so that a mistake
// is told with its line.
type list[T any] []T

func (l *list[T]) UnmarshalText(text []byte) error {
	var one T
	if err := any(&one).(encoding.TextUnmarshaler).UnmarshalText(text); err != nil {
		return err
	}
	*l = append(*l, one)
	return nil
}

// choice is allow or deny.
type choice action

func (c *choice) UnmarshalText(text []byte) error {
	a, err := parseChoice(string(text))
	*c = choice(a)
	return err
}

func parseChoice(text string) (action, error) {
	switch text {
	case "allow":
		return allow, nil
	case "deny":
		return deny, nil
	}
	return allow, fmt.Errorf("%q is not known: choose allow or deny", text)
}

type actionName struct {
	action
	set bool
}

func (a *actionName) UnmarshalText(text []byte) (err error) {
	a.set = true
	a.action, err = parseChoice(string(text))
	if err != nil {
		err = fmt.Errorf("%w, or leave action out and write via", err)
	}
	return err
}

type denial spi.Errno

func (d *denial) UnmarshalText(text []byte) error {
	e, ok := parseDenial(string(text))
	if !ok {
		return fmt.Errorf("%q is no error of a denial: choose one of %s", text, denialNames())
	}
	*d = denial(e)
	return nil
}

// programGlob is a structure, for the TOML library asks no string to read itself.
type programGlob struct{ glob string }

func (g *programGlob) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		return errors.New("an empty program matches nothing: leave the key out for any")
	}
	g.glob = string(text)
	return checkGlob(string(text))
}

type directionName direction

func (d *directionName) UnmarshalText(text []byte) error {
	one, ok := directionNames[string(text)]
	if !ok {
		return fmt.Errorf("%q is no direction: choose connect, send, bind, listen, accept, out (connect and send), in (listen and accept) or any", text)
	}
	*d = directionName(one)
	return nil
}

type protocolName protocol

func (p *protocolName) UnmarshalText(text []byte) error {
	one, ok := protocolNames[string(text)]
	if !ok {
		return fmt.Errorf("%q is no protocol: choose tcp, udp or unix", text)
	}
	*p = protocolName(one)
	return nil
}

// parseFile reads a rules file. name is what messages and the log call it; its
// one-line error says where the text is wrong. denied is the error of denials
// for which the file names none, and set says that the command line chose it.
func parseFile(name string, text []byte, denied spi.Errno) (*fileRules, error) {
	base := filepath.Base(name)
	var d document
	decoder := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields()
	if err := decoder.Decode(&d); err != nil {
		return nil, tomlplace.Of(err)
	}
	if len(d.Rules) > mostRules {
		return nil, fmt.Errorf("there are %d rules: %d are the most", len(d.Rules), mostRules)
	}
	if d.Error != 0 {
		denied = spi.Errno(d.Error)
	}
	lines := ruleLines(text)
	parsed := &fileRules{denied: denied, out: d.Default, in: d.Inbound}
	for i := range d.Rules {
		where := fmt.Sprintf("rule %d", i+1)
		if len(lines) == len(d.Rules) {
			where = "line " + strconv.Itoa(lines[i])
		}
		r, err := d.Rules[i].rule(denied)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", where, err)
		}
		r.where = base + " " + where
		parsed.rules = append(parsed.rules, r)
	}
	return parsed, nil
}

// fileRules is what a rules file says.
type fileRules struct {
	rules   []rule
	denied  spi.Errno
	out, in *choice
}

// rule checks what concerns several keys together.
func (t *ruleTable) rule(denied spi.Errno) (rule, error) {
	r := rule{directions: outbound, protocols: anyProtocol, addresses: t.Address, action: t.Action.action, errno: denied}
	for _, g := range t.Program {
		r.programs = append(r.programs, g.glob)
	}
	if len(t.Direction) > 0 {
		r.directions = 0
		for _, d := range t.Direction {
			r.directions |= direction(d)
		}
	}
	if len(t.Protocol) > 0 {
		r.protocols = 0
		for _, p := range t.Protocol {
			r.protocols |= protocol(p)
		}
	}
	var err error
	if r.ports, err = portsOf(t.Port); err != nil {
		return r, err
	}
	if r.narrow(); r.protocols == 0 {
		return r, errors.New("the rule matches nothing: its address, port and protocol have no sockets in common")
	}
	chain, err := chainOf(t.Via)
	switch {
	case err != nil:
		return r, err
	case chain != "" && t.Action.set:
		return r, errors.New("a rule has action or via, not both: leave one out")
	case chain == "" && !t.Action.set:
		return r, errors.New(`the rule says nothing to do: add action = "deny", action = "allow", or via = "CHAIN"`)
	case t.Error != 0 && r.action != deny:
		return r, errors.New(`error is for action = "deny": leave it out`)
	case t.Error != 0 && r.directions == accept:
		return r, errors.New("error has no meaning for accept: a peer that is denied is reset, and the program waits for the next one; leave it out")
	case chain != "" && r.directions&(accept|listen) != 0:
		return r, errors.New("via is for connect, send and bind: a socket that listens has been bound, name that direction")
	}
	if t.Error != 0 {
		r.errno = spi.Errno(t.Error)
	}
	if chain != "" {
		r.action, r.chain = via, chain
	}
	return r, nil
}

// portsOf reads a number, a range, or a list of both.
func portsOf(value any) ([]ports, error) {
	switch v := value.(type) {
	case nil:
		return nil, nil
	case int64:
		p, err := parsePorts(strconv.FormatInt(v, 10))
		return []ports{p}, err
	case string:
		p, err := parsePorts(v)
		return []ports{p}, err
	case []any:
		var all []ports
		for _, element := range v {
			if _, nested := element.([]any); nested {
				break
			}
			one, err := portsOf(element)
			if err != nil {
				return nil, err
			}
			all = append(all, one...)
		}
		if len(all) == len(v) && len(v) > 0 {
			return all, nil
		}
	}
	return nil, errors.New(`port is a number, a range such as "6000-6063", or a list of these`)
}

// chainOf reads the name or the id of a catalog entry.
func chainOf(value any) (string, error) {
	switch v := value.(type) {
	case nil:
		return "", nil
	case int64:
		if v > 0 {
			return strconv.FormatInt(v, 10), nil
		}
	case string:
		if v != "" {
			return v, nil
		}
	}
	return "", errors.New("via is the name or the id of a chain: upcall catalog list shows them")
}

// ruleLines returns the lines at which the rules begin.
func ruleLines(text []byte) (lines []int) {
	n := 0
	for line := range bytes.Lines(text) {
		n++
		line, _, _ = bytes.Cut(line, []byte("#"))
		if compact := strings.Join(strings.Fields(string(line)), ""); compact == "[[rule]]" {
			lines = append(lines, n)
		}
	}
	return lines
}
