//go:build race

package nonifs_test

// raceEnabled tells that the race detector is on, under which pools forget.
const raceEnabled = true
