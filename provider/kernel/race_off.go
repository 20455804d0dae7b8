//go:build linux && !race

package kernel

func released() {}
func acquired() {}
