package launch

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"upcall.dev/catalog"
	"upcall.dev/layer"
	"upcall.dev/spi"
)

// slow is a layer whose connects take a time, never end, or panic, or that
// does not start.
type slow struct {
	spi.Provider
	delay time.Duration
	mood  string
	hang  chan struct{}
}

// released ends the calls of a slow layer that hang, so that a test leaves no
// goroutine behind.
var released = struct {
	sync.Mutex
	hangs []chan struct{}
}{}

func releaseHangs() {
	released.Lock()
	defer released.Unlock()
	for _, h := range released.hangs {
		close(h)
	}
	released.hangs = nil
}

func init() {
	layer.Register(layer.Definition{
		Name:      "slow",
		Summary:   "connects slowly, for tests",
		Options:   []spi.Option{{Name: "delay"}, {Name: "mood"}, {Name: "bytes"}},
		SeesBytes: func(o spi.Options) bool { return o["bytes"] == "on" },
		New: func(next spi.Provider, o spi.Options) (spi.Provider, error) {
			if o["mood"] == "broken" {
				return nil, errors.New("broken on purpose")
			}
			delay, err := time.ParseDuration(o["delay"])
			if o["delay"] != "" && err != nil {
				return nil, err
			}
			hang := make(chan struct{})
			released.Lock()
			released.hangs = append(released.hangs, hang)
			released.Unlock()
			return &slow{Provider: next, delay: delay, mood: o["mood"], hang: hang}, nil
		},
	})
}

func (s *slow) WSPConnect(sock spi.Socket, name []byte, callerData, calleeData *spi.Buf, sqos, gqos *spi.QOS) spi.Errno {
	switch s.mood {
	case "hanging":
		<-s.hang
		return spi.WSAETIMEDOUT
	case "panicking":
		panic("on purpose")
	case "unreachable":
		time.Sleep(s.delay)
		return spi.WSAEHOSTUNREACH
	}
	time.Sleep(s.delay)
	return s.Provider.WSPConnect(sock, name, callerData, calleeData, sqos, gqos)
}

// slowly returns a catalog with a slow layer over the kernel.
func slowly(nonIFS bool, options spi.Options) catalog.Source {
	o := spi.Options{"bytes": "off"}
	if nonIFS {
		o["bytes"] = "on"
	}
	for k, v := range options {
		o[k] = v
	}
	source, err := compose(catalog.Layer{Name: "slow", Options: o})
	if err != nil {
		panic(fmt.Sprint("the slow layer: ", err))
	}
	return source
}
