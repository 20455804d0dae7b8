package shape

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"upcall.dev/layer/relay"
	"upcall.dev/spi"
)

type release struct {
	at time.Time
	n  int
}

// TestRateHoldsOverEveryWindow feeds a link bytes at random times and checks
// every window between two releases.
func TestRateHoldsOverEveryWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.Float64Range(10, 1e8).Draw(t, "rate")
		burst := rapid.IntRange(1, 1<<20).Draw(t, "burst")
		delay := time.Duration(rapid.Int64Range(0, int64(time.Second)).Draw(t, "delay"))
		l := newLinks(config{rate: [2]float64{rate, rate}, burst: [2]int{burst, burst}, delay: [2]time.Duration{delay, delay}})[relay.Up]

		now := time.Unix(1_700_000_000, 0)
		var out []release
		for range rapid.IntRange(1, 60).Draw(t, "chunks") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(3*time.Second)).Draw(t, "pause")))
			n := rapid.IntRange(1, burst).Draw(t, "bytes")
			at := l.release(now, n)
			if at.Before(now.Add(delay)) {
				t.Fatalf("released %v after arrival, delay is %v", at.Sub(now), delay)
			}
			if len(out) > 0 && at.Before(out[len(out)-1].at) {
				t.Fatal("bytes overtake others")
			}
			out = append(out, release{at, n})
		}
		for i := range out {
			sum := 0.0
			for j := i; j < len(out); j++ {
				sum += float64(out[j].n)
				window := out[j].at.Sub(out[i].at).Seconds()
				if allowed := rate*window + float64(burst) + rate*1e-6 + 1; sum > allowed {
					t.Fatalf("%.0f bytes in %gs at %g bytes/s and a burst of %d", sum, window, rate, burst)
				}
			}
		}
	})
}

// TestNoRateIsWasted keeps a link busy: it must pass all that its rate allows.
func TestNoRateIsWasted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.Float64Range(10, 1e8).Draw(t, "rate")
		burst := rapid.IntRange(1, 1<<20).Draw(t, "burst")
		l := newLinks(config{rate: [2]float64{rate, 0}, burst: [2]int{burst, burst}})[relay.Up]
		start := time.Unix(1_700_000_000, 0)
		total, at := 0, start
		for range rapid.IntRange(1, 50).Draw(t, "chunks") {
			n := rapid.IntRange(1, 1<<21).Draw(t, "bytes") // may exceed a burst
			total += n
			at = l.release(start, n)
		}
		want := max(0, float64(total-burst)/rate)
		if got := at.Sub(start).Seconds(); got < want-1e-3 || got > want*(1+1e-6)+1e-3 {
			t.Fatalf("%d bytes took %gs, want %gs", total, got, want)
		}
	})
}

func TestDelayWithoutRate(t *testing.T) {
	links := newLinks(config{delay: [2]time.Duration{20 * time.Millisecond, 0}})
	now := time.Unix(1_700_000_000, 0)
	if got := links[relay.Up].release(now, 1<<30); got != now.Add(20*time.Millisecond) {
		t.Errorf("up: %v", got.Sub(now))
	}
	if got := links[relay.Down].release(now, 1<<30); got != now {
		t.Errorf("down: %v", got.Sub(now))
	}
}

func TestOptions(t *testing.T) {
	for query, want := range map[string]config{
		"":                           {burst: [2]int{1500, 1500}},
		"rate=1M":                    {rate: [2]float64{1e6, 1e6}, burst: [2]int{20000, 20000}},
		"rate=8Mbit/s":               {rate: [2]float64{1e6, 1e6}, burst: [2]int{20000, 20000}},
		"rate=1.5kB/s&burst=64k":     {rate: [2]float64{1500, 1500}, burst: [2]int{64000, 64000}},
		"rate=1M&rate-down=2000":     {rate: [2]float64{1e6, 2000}, burst: [2]int{20000, 1500}},
		"delay=20ms&delay-up=1s":     {delay: [2]time.Duration{time.Second, 20 * time.Millisecond}, burst: [2]int{1500, 1500}},
		"rate-up=100bit&delay-up=0s": {rate: [2]float64{12.5, 0}, burst: [2]int{1500, 1500}},
	} {
		_, o, _, err := spi.ParseGoPath("go:shape?" + query)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := parse(o); err != nil || got != want {
			t.Errorf("%s: %+v %v, want %+v", query, got, err, want)
		}
	}
}

func TestOptionsAreRefused(t *testing.T) {
	const rate = ` is no rate: write bytes per second such as 500k or 1.5MB/s, or bits such as 8Mbit, from 1 to 1000G bytes; leave it out for no limit`
	const number = ` is no number of bytes: write one such as 1500 or 64k, up to 1G`
	const duration = ` is no duration: write a number with a unit, such as 20ms or 1.5s`
	for query, want := range map[string]string{
		"rate=fast":          `shape: rate="fast"` + rate,
		"rate=0":             `shape: rate="0"` + rate,
		"rate-up=-5k":        `shape: rate-up="-5k"` + rate,
		"rate=NaN":           `shape: rate="NaN"` + rate,
		"rate=Inf":           `shape: rate="Inf"` + rate,
		"rate=0x10":          `shape: rate="0x10"` + rate,
		"rate=1Mbps":         `shape: rate="1Mbps"` + rate,
		"rate=4bit":          `shape: rate="4bit"` + rate,
		"delay=20":           `shape: delay="20"` + duration,
		"delay-down=-1s":     `shape: delay-down="-1s" is out of range: choose a duration from 0 to 2562047h`,
		"delay=2h":           `shape: delay="2h" is too long: choose up to 1h0m0s`,
		"rate=1k&burst=0":    `shape: burst="0"` + number,
		"rate=1k&burst=2G":   `shape: burst="2G"` + number,
		"rate=1k&burst=lots": `shape: burst="lots"` + number,
		"burst=4k":           `shape: burst="4k" needs a rate: add one such as rate=1M`,
		"jitter=1ms":         `shape has no option "jitter": choose from rate, rate-up, rate-down, delay, delay-up, delay-down, burst`,
	} {
		_, err := spi.OpenDriver(spi.NewGUID(), "go:shape?"+query)
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v\nwant %s", query, err, want)
		}
	}
}

func FuzzOptions(f *testing.F) {
	f.Add("rate=1M&delay=20ms&burst=64k")
	f.Add("rate-up=1e300&rate-down=1e-300")
	f.Fuzz(func(t *testing.T, query string) {
		_, o, ok, err := spi.ParseGoPath("go:shape?" + query)
		if !ok || err != nil {
			return
		}
		c, err := parse(o)
		if err != nil {
			return
		}
		now := time.Now()
		for _, l := range newLinks(c) {
			first := l.release(now, 1)
			if second := l.release(now, 1<<20); second.Before(first) || first.Before(now) {
				t.Errorf("%s: released at %v, then %v", query, first.Sub(now), second.Sub(now))
			}
		}
	})
}
