package main

import (
	"fmt"
	"strings"

	"github.com/posener/complete"

	"upcall.dev/catalog"
	"upcall.dev/spi"
)

// layerFlag is LAYER[:KEY=VALUE,...].
type layerFlag struct{ catalog.Layer }

// UnmarshalText reads the flag and checks the name and the options' names, so
// that a typing mistake is told before anything starts.
func (l *layerFlag) UnmarshalText(text []byte) error {
	name, rest, hasOptions := strings.Cut(string(text), ":")
	d, ok := spi.LookupDriver(name)
	if !ok || !d.Layer() {
		return fmt.Errorf("no layer is called %q: choose one of %s", name, strings.Join(driverNames(true), ", "))
	}
	l.Name, l.Options = name, spi.Options{}
	if hasOptions {
		for _, pair := range strings.Split(rest, ",") {
			key, value, ok := strings.Cut(pair, "=")
			if !ok || key == "" {
				return fmt.Errorf("%q is not an option of %s: write %s:KEY=VALUE,KEY=VALUE", pair, name, name)
			}
			l.Options[key] = value
		}
	}
	return d.CheckOptions(l.Options)
}

func driverNames(layers bool) (names []string) {
	for _, d := range spi.Drivers() {
		if d.Layer() == layers {
			names = append(names, d.Name)
		}
	}
	return names
}

// driverHelp lists the drivers with their options for a help text.
func driverHelp(layers bool) string {
	var b strings.Builder
	for _, d := range spi.Drivers() {
		if d.Layer() != layers {
			continue
		}
		fmt.Fprintf(&b, "  %-10s %s\n", d.Name, d.Summary)
		for _, o := range d.Options {
			fmt.Fprintf(&b, "    %-14s %s", o.Name, o.Help)
			if o.Default != "" {
				fmt.Fprintf(&b, " (default %s)", o.Default)
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// predictors complete layer, base and entry names.
func predictors() map[string]complete.Predictor {
	return map[string]complete.Predictor{
		"layer":  complete.PredictFunc(func(complete.Args) []string { return driverNames(true) }),
		"base":   complete.PredictFunc(func(complete.Args) []string { return driverNames(false) }),
		"driver": complete.PredictFunc(func(complete.Args) []string { return append(driverNames(true), driverNames(false)...) }),
	}
}
