package main

import "slices"

func rows() []row {
	return slices.Concat(calls(), asyncs(), echoes(), counts(), transfers(), launched(), relayed(), cDoor())
}
