//go:build !race

package shape

// raceEnabled: the race detector allocates, and empties pools at random.
const raceEnabled = false
