package layer_test

import (
	"strings"
	"testing"
	"time"

	"upcall.dev/layer"
	"upcall.dev/spi"
)

func TestChoice(t *testing.T) {
	if v, err := layer.Choice(nil, "format", "text", "json"); v != "text" || err != nil {
		t.Errorf("not set: %q, %v", v, err)
	}
	if v, err := layer.Choice(spi.Options{"format": "json"}, "format", "text", "json"); v != "json" || err != nil {
		t.Errorf("set: %q, %v", v, err)
	}
	if _, err := layer.Choice(spi.Options{"format": ""}, "format", "text", "json"); err == nil {
		t.Error("an empty value is none of those allowed")
	}
}

func TestDuration(t *testing.T) {
	for value, want := range map[string]time.Duration{"20ms": 20 * time.Millisecond, "0": 0, "1.5s": 1500 * time.Millisecond} {
		if d, err := layer.Duration(spi.Options{"delay": value}, "delay", time.Hour); d != want || err != nil {
			t.Errorf("%s: %v, %v", value, d, err)
		}
	}
	if d, err := layer.Duration(nil, "delay", time.Hour); d != time.Hour || err != nil {
		t.Errorf("not set: %v, %v", d, err)
	}
	for value, want := range map[string]string{
		"": "no duration", "20": "no duration", "soon": "no duration", "-1soon": "no duration",
		"-1s": "out of range", "99999999h": "out of range", "-99999999h": "out of range",
		"2562048h": "out of range", "99999999999999999999.5ms": "out of range",
	} {
		if _, err := layer.Duration(spi.Options{"delay": value}, "delay", 0); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", value, err, want)
		}
	}
	if d, err := layer.Duration(spi.Options{"delay": "2562047h"}, "delay", 0); err != nil {
		t.Errorf("the longest that the message offers: %v, %v", d, err)
	}
}
