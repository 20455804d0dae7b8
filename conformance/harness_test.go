//go:build linux

package conformance

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"upcall.dev/catalog"
	"upcall.dev/spi"
	_ "upcall.dev/standard"
	"upcall.dev/ws2"
)

func TestMain(m *testing.M) {
	// The runtime's own poller keeps its descriptors; make it before counting.
	r, w, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	r.Close()
	w.Close()
	goleak.VerifyTestMain(m)
}

// configuration is a base provider and the layers over it, outermost first.
type configuration struct {
	name   string
	over   string
	layers []layer
}

// layer is trace with some options. With data=on its handles are its own.
type layer struct{ data bool }

// The names are also in docs/conformance.md.
var configurations = []configuration{
	{name: "kernel", over: "kernel"},
	{name: "memory", over: "memory"},
	{name: "kernel+ifs", over: "kernel", layers: []layer{{data: false}}},
	{name: "kernel+nonifs", over: "kernel", layers: []layer{{data: true}}},
	{name: "kernel+nonifs+nonifs", over: "kernel", layers: []layer{{data: true}, {data: true}}},
}

// nonIFS are the configurations whose handles are not descriptors.
var nonIFS = []string{"memory", "kernel+nonifs", "kernel+nonifs+nonifs"}

// option changes how [each] runs a test.
type option func(*plan)

type plan struct {
	version uint16
	reasons map[string]string
}

// version1 starts the DLL with version 1.1, where blocking hooks exist.
func version1(p *plan) { p.version = 0x0101 }

// except leaves configurations out that cannot have the behaviour, and says why
// in docs/conformance.md.
func except(reason string, configurations ...string) option {
	return func(p *plan) {
		for _, name := range configurations {
			p.reasons[name] = reason
		}
	}
}

// each runs a test over every configuration.
func each(t *testing.T, test func(c *client), options ...option) {
	t.Helper()
	p := plan{version: spi.Version22, reasons: map[string]string{}}
	for _, o := range options {
		o(&p)
	}
	for _, conf := range configurations {
		t.Run(conf.name, func(t *testing.T) {
			if reason := p.reasons[conf.name]; reason != "" {
				t.Skip(reason)
			}
			test(open(t, conf, p.version))
		})
	}
}

// client is a program's thread: the client API of a started DLL, with the test
// to report to.
type client struct {
	*testing.T
	*ws2.Thread
	config configuration
	traces []string // files of the layers, outermost first
}

// open starts a DLL over a configuration. At the end of the test it is cleaned
// up, and no descriptor may be left open.
func open(t *testing.T, conf configuration, version uint16) *client {
	t.Helper()
	c := &client{T: t, config: conf}
	before := descriptors(c)
	c.Cleanup(func() {
		c.ok(c.WSACleanup())
		c.Unbind()
		if after := descriptors(c); len(after) > len(before) {
			c.Errorf("descriptors left open: %v, at first there were %v", after, before)
		}
	})
	c.begin(c.composed(conf.over), version)
	return c
}

// composed returns the catalog of the configuration, with its layers over the
// base provider called over, or all of them when it is empty.
func (c *client) composed(over string) *catalog.Catalog {
	c.Helper()
	c.traces = nil
	var through []catalog.Layer
	for _, l := range c.config.layers {
		options := spi.Options{"file": filepath.Join(c.TempDir(), "trace")}
		if l.data {
			options["data"] = "on"
		}
		c.traces = append(c.traces, options["file"])
		through = append(through, catalog.Layer{Name: "trace", Options: options})
	}
	composed, err := catalog.Compose(catalog.Default(), over, through)
	c.ok(err)
	return composed
}

// begin starts a DLL over a catalog, with the thread bound.
func (c *client) begin(source catalog.Source, version uint16) {
	c.Helper()
	d := ws2.New(ws2.Config{Catalog: source, Log: func(m string) { c.Error(m) }})
	c.Thread = d.BindThread()
	c.ok(c.WSAStartup(version, new(ws2.WSAData)))
}

// restart is a start-up after the last cleanup.
func (c *client) restart() {
	c.Helper()
	c.ok(c.WSAStartup(spi.Version22, new(ws2.WSAData)))
}

// descriptors lists what /proc/self/fd has.
func descriptors(t testing.TB) []string {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		if target, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil {
			list = append(list, e.Name()+"="+target)
		}
	}
	return list
}

// elsewhere runs f on a thread of its own, at once, and returns what waits for
// its end. The test does not end before it.
func (c *client) elsewhere(f func(c *client)) (join func()) {
	c.Helper()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		other := *c
		other.Thread = c.DLL().BindThread()
		defer other.Unbind()
		f(&other)
	}()
	join = func() {
		c.Helper()
		select {
		case <-ended:
		case <-time.After(patience):
			c.Fatal("the other thread does not end")
		}
	}
	c.Cleanup(join)
	return join
}

// patience is how long a test waits for what must come.
const patience = time.Minute

const patienceMS = uint32(patience / time.Millisecond)

// ok ends the test unless err is nil.
func (c *client) ok(err error) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
}

// want fails the test unless err is code.
func (c *client) want(err error, code spi.Errno) {
	c.Helper()
	if !errors.Is(err, code) {
		c.Errorf("error %v, want %v", err, code)
	}
}

// eventually waits for what another thread brings about.
func (c *client) eventually(what string, holds func() bool) {
	c.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			c.Fatalf("%s: not within %v", what, patience)
		}
	}
}
