package shape

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"upcall.dev/layer"
	"upcall.dev/layer/relay"
	"upcall.dev/spi"
)

var options = []spi.Option{
	{Name: "rate", Help: "bytes per second in each direction, such as 500k, or bits, such as 8Mbit"},
	{Name: "rate-up", Help: "rate of what the program sends"},
	{Name: "rate-down", Help: "rate of what the program receives"},
	{Name: "delay", Help: "time that each byte takes in each direction, such as 20ms"},
	{Name: "delay-up", Help: "delay of what the program sends"},
	{Name: "delay-down", Help: "delay of what the program receives"},
	{Name: "burst", Help: "bytes that may pass at once after a pause, such as 64k; without it what the rate gives in 20ms"},
}

// config is the options, read. Index 0 is relay.Up, 1 is relay.Down.
type config struct {
	rate  [2]float64 // bytes per second, 0 for no limit
	burst [2]int     // bytes
	delay [2]time.Duration
}

// shapesNothing reports whether bytes pass as if there were no line.
func (c config) shapesNothing() bool {
	return c.rate == [2]float64{} && c.delay == [2]time.Duration{}
}

const (
	// slowest and fastest bound the rates that can be kept: below, the bytes of
	// one datagram take hours; above, there is nothing to limit.
	slowest = 1
	fastest = 1e12

	longestDelay = time.Hour

	// defaultBurst is how much time's worth of bytes pass at once.
	defaultBurst = 20 * time.Millisecond

	// smallestBurst is the default's least: one packet of Ethernet.
	smallestBurst = 1500

	largestBurst = 1 << 30
)

func parse(o spi.Options) (c config, err error) {
	for d, suffix := range map[relay.Direction]string{relay.Up: "-up", relay.Down: "-down"} {
		for _, name := range []string{"rate", "rate" + suffix} {
			if value, set := o[name]; set {
				if c.rate[d], err = parseRate(name, value); err != nil {
					return c, err
				}
			}
		}
		for _, name := range []string{"delay", "delay" + suffix} {
			if c.delay[d], err = layer.Duration(o, name, c.delay[d]); err != nil {
				return c, err
			}
			if c.delay[d] > longestDelay {
				return c, fmt.Errorf("%s=%q is too long: choose up to %v", name, o[name], longestDelay)
			}
		}
		c.burst[d] = max(smallestBurst, int(c.rate[d]*defaultBurst.Seconds()))
		if value, set := o["burst"]; set {
			n, ok := parseNumber(value)
			if !ok || n < 1 || n > largestBurst {
				return c, fmt.Errorf("burst=%q is no number of bytes: write one such as 1500 or 64k, up to 1G", value)
			}
			c.burst[d] = int(n)
		}
	}
	if _, set := o["burst"]; set && c.rate == [2]float64{} {
		return c, fmt.Errorf("burst=%q needs a rate: add one such as rate=1M", o["burst"])
	}
	return c, nil
}

func parseRate(name, value string) (float64, error) {
	text := strings.TrimSuffix(value, "/s")
	factor := 1.0
	if bits, ok := strings.CutSuffix(text, "bit"); ok {
		text, factor = bits, 1.0/8
	} else {
		text = strings.TrimSuffix(text, "B")
	}
	n, ok := parseNumber(text)
	n *= factor
	if !ok || n < slowest || n > fastest {
		return 0, fmt.Errorf("%s=%q is no rate: write bytes per second such as 500k or 1.5MB/s, or bits such as 8Mbit, from 1 to 1000G bytes; leave it out for no limit", name, value)
	}
	return n, nil
}

// parseNumber reads a decimal number with an optional k, M or G for thousands,
// millions and thousand millions.
func parseNumber(text string) (float64, bool) {
	factor := 1.0
	for suffix, f := range map[string]float64{"k": 1e3, "M": 1e6, "G": 1e9} {
		if rest, ok := strings.CutSuffix(text, suffix); ok {
			text, factor = rest, f
			break
		}
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(n) || math.IsInf(n, 0) || strings.ContainsAny(text, "xX_+") {
		return 0, false
	}
	return n * factor, true
}
