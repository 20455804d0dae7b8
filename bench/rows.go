package main

import "slices"

func rows() []row { return slices.Concat(calls(), transfers(), launched()) }
