package main

import (
	"fmt"
	"path/filepath"
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
	if !hasOptions {
		return nil
	}
	options, err := parseOptions(d, rest)
	l.Options = options
	return err
}

// parseOptions reads KEY=VALUE,... and checks that the driver knows each key.
func parseOptions(d spi.Driver, text string) (spi.Options, error) {
	options := spi.Options{}
	for _, pair := range strings.Split(text, ",") {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return nil, fmt.Errorf("%q is not an option of %s: write %s:KEY=VALUE,KEY=VALUE", pair, d.Name, d.Name)
		}
		if first, twice := options[key]; twice {
			return nil, fmt.Errorf("%s is given %s=%s and %s=%s: leave one out", d.Name, key, first, key, value)
		}
		options[key] = value
	}
	return options, d.CheckOptions(options)
}

// absolutePaths makes the options that are file names mean the same file in
// every directory that a program is started in.
func absolutePaths(d spi.Driver, options spi.Options) error {
	for _, o := range d.Options {
		if value := options[o.Name]; o.Path && value != "" {
			path, err := filepath.Abs(value)
			if err != nil {
				return fmt.Errorf("%s=%s cannot be made a whole path, give one: %w", o.Name, value, err)
			}
			options[o.Name] = path
		}
	}
	return nil
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
		writeDriverHelp(&b, d)
	}
	return b.String()
}

func writeDriverHelp(b *strings.Builder, d spi.Driver) {
	fmt.Fprintf(b, "  %-10s %s\n", d.Name, d.Summary)
	for _, o := range d.Options {
		fmt.Fprintf(b, "    %-14s %s", o.Name, o.Help)
		if o.Default != "" {
			fmt.Fprintf(b, " (default %s)", o.Default)
		}
		b.WriteByte('\n')
	}
}

// predictors complete layer, base and entry names.
func predictors() map[string]complete.Predictor {
	return map[string]complete.Predictor{
		"layer":  complete.PredictFunc(func(complete.Args) []string { return driverNames(true) }),
		"base":   complete.PredictFunc(func(complete.Args) []string { return driverNames(false) }),
		"driver": complete.PredictFunc(func(complete.Args) []string { return append(driverNames(true), driverNames(false)...) }),
	}
}
