package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/posener/complete"

	"upcall.dev/catalog"
	"upcall.dev/profile"
	"upcall.dev/spi"
)

// layerFlag is LAYER[:KEY=VALUE,...]. A typing mistake is told before anything
// starts.
type layerFlag struct{ profile.Layer }

// absolutePaths makes the options that are file names mean the same file in
// every directory that a program is started in.
func absolutePaths(d spi.Driver, options spi.Options) error {
	for _, o := range d.Options {
		if value := options[o.Name]; o.Path && value != "" && value != "-" { // which is standard error
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
		"layer": complete.PredictFunc(func(complete.Args) []string { return driverNames(true) }),
		"base":  complete.PredictFunc(func(complete.Args) []string { return driverNames(false) }),
		"profile": complete.PredictFunc(func(complete.Args) []string {
			f, err := loadProfiles(catalog.OpenFile(catalog.DefaultPath()))
			if err != nil {
				return nil
			}
			return f.Names()
		}),
		"driver": complete.PredictFunc(func(complete.Args) []string { return append(driverNames(true), driverNames(false)...) }),
	}
}
