package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"time"

	"upcall.dev/catalog"
	"upcall.dev/layer"
	"upcall.dev/spi"
)

// echoes are the rows of echo servers, each a process of its own that one load
// generator drives, a process too.
func echoes() []row {
	var list []row
	for _, connections := range []int{64, 1000} {
		of := func(what string) string { return fmt.Sprintf("port echo, 64 B × %d, %s", connections, what) }
		list = append(list,
			row{of("against C epoll"), "/s", echo(messages, "port", "epoll", 64, connections, connections), ratioAtLeast(0.95)},
			row{of("CPU, against C epoll"), "ns", echo(processor, "port", "epoll", 64, connections, connections), ratioAtMost(1.1)},
			row{of("against libuv"), "/s", echo(messages, "port", "uv", 64, connections, connections), forInformation()},
			row{of("against Go net"), "/s", echo(messages, "port", "net", 64, connections, connections), ratioAtLeast(1.4)},
		)
	}
	return append(list,
		row{"port echo, 16 KiB × 64, against C epoll", "/s", echo(messages, "port", "epoll", 16384, 64, 64), ratioAtLeast(0.9)},
		row{"port echo, 16 KiB × 64, CPU, against C epoll", "ns", echo(processor, "port", "epoll", 16384, 64, 64), forInformation()},
		row{"port echo, IFS layer, 64 B × 64, against C epoll", "/s", echo(messages, "port+ifs", "epoll", 64, 64, 64), ratioAtLeast(0.93)},
		row{"port echo, non-IFS layer, 64 B × 64, against C epoll", "/s", echo(messages, "port+nonifs", "epoll", 64, 64, 64), ratioAtLeast(0.7)},
		row{"port echo, non-IFS layer, CPU, against C epoll", "ns", echo(processor, "port+nonifs", "epoll", 64, 64, 64), forInformation()},
	)
}

// Layers that change nothing, of both kinds.
var (
	passLayer  = catalog.Layer{Name: "bench-pass"}
	bytesLayer = catalog.Layer{Name: "bench-bytes"}
)

func init() {
	unchanged := func(next spi.Provider, _ spi.Options) (spi.Provider, error) {
		return struct{ spi.Provider }{next}, nil
	}
	layer.Register(layer.Definition{Name: passLayer.Name, Summary: "changes nothing", New: unchanged})
	layer.Register(layer.Definition{
		Name: bytesLayer.Name, Summary: "changes nothing, with handles of its own",
		SeesBytes: func(spi.Options) bool { return true }, New: unchanged,
	})
}

// Processors for the two processes of an echo.
const (
	forServer = iota
	forLoad
)

// driven is a server, and what drives it.
type driven struct{ server, load *process }

// drive starts the server of that name and connects to it.
func drive(name string, size, connections int) (d driven, err error) {
	generator, err := compiled.path("load")
	if err != nil {
		return d, err
	}
	var cmd *exec.Cmd
	if servers[name] != nil {
		self, err := os.Executable()
		if err != nil {
			return d, err
		}
		cmd = exec.Command(self)
		// As many as without a processor of its own: with one, the scheduler has
		// nowhere to park what a system call interrupts.
		cmd.Env = append(os.Environ(), serverVariable+"="+name, "GOMAXPROCS="+strconv.Itoa(runtime.GOMAXPROCS(0)))
	} else {
		path, err := compiled.path(name)
		if err != nil {
			return d, err
		}
		cmd = exec.Command(path)
		if _, ok := winsock[name]; ok {
			if cmd.Env, err = cDoorEnvironment(); err != nil {
				return d, err
			}
		}
	}
	if d.server, err = startProcess("the "+name+" server", cmd, forServer); err != nil {
		return d, err
	}
	port, err := d.server.answer()
	if err != nil {
		d.stop()
		return d, err
	}
	pid := strconv.Itoa(d.server.cmd.Process.Pid)
	cmd = exec.Command(generator, port, strconv.Itoa(connections), strconv.Itoa(size), pid)
	if d.load, err = startProcess("the load generator", cmd, forLoad); err == nil {
		_, err = d.load.answer()
	}
	if err != nil {
		d.stop()
	}
	return d, err
}

func (d driven) stop() {
	if d.load != nil {
		d.load.stop()
	}
	d.server.stop()
}

// measured is what one run of the load generator has counted.
type measured struct {
	messages float64
	seconds  float64
	cpu      float64 // nanoseconds, of the server
	others   float64 // nanoseconds that the rest of the machine used
}

func messages(m measured) float64  { return m.messages / m.seconds }
func processor(m measured) float64 { return m.cpu / m.messages }

// disturbed reports whether others used more than a tenth of one processor.
func (m measured) disturbed() bool { return m.messages == 0 || m.others > m.seconds*1e9/10 }

// disturbedRuns counts the runs that stayed disturbed.
var disturbedRuns int

// run has so many messages on their way for so long. It does so again, a few
// times, when the machine does something else meanwhile, and returns the least
// disturbed.
func (d driven) run(each time.Duration, atOnce int) (best measured, err error) {
	for try := range 4 {
		m, err := d.runOnce(each, atOnce)
		if err != nil {
			return m, err
		}
		if try == 0 || best.messages == 0 || m.messages > 0 && m.others < best.others {
			best = m
		}
		if !best.disturbed() {
			break
		}
	}
	if best.disturbed() {
		disturbedRuns++
	}
	if best.messages == 0 {
		return best, fmt.Errorf("%s did not come to answer within %v: the machine is too busy", d.server.name, each)
	}
	return best, nil
}

func (d driven) runOnce(each time.Duration, atOnce int) (m measured, err error) {
	if _, err := fmt.Fprintln(d.load.in, each.Milliseconds(), atOnce); err != nil {
		return m, err
	}
	line, err := d.load.answer()
	if err != nil {
		return m, err
	}
	var elapsed float64
	if _, err := fmt.Sscan(line, &m.messages, &elapsed, &m.cpu, &m.others); err != nil {
		return m, fmt.Errorf("the load generator measured %q", line)
	}
	m.seconds = elapsed / 1e9
	return m, nil
}

// echo compares two servers by a figure, with so many messages on their way at
// once.
func echo(figure func(measured) float64, subject, comparator string, size, connections, atOnce int) func() (side, side, func(), error) {
	return func() (side, side, func(), error) {
		var sides []side
		var open []driven
		done := func() {
			for _, d := range open {
				d.stop()
			}
		}
		for _, name := range []string{subject, comparator} {
			d, err := drive(name, size, connections)
			if err != nil {
				done()
				return nil, nil, nil, err
			}
			open = append(open, d)
			sides = append(sides, func(each time.Duration) (float64, error) {
				m, err := d.run(each, atOnce)
				return figure(m), err
			})
		}
		return sides[0], sides[1], done, nil
	}
}
