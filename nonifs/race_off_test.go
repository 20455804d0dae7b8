//go:build !race

package nonifs_test

const raceEnabled = false
