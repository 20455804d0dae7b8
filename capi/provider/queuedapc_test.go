package provider_test

import (
	"testing"

	"upcall.dev/capi/ctest"
)

// TestQueuedAPCOfAnUnloadedProvider leaves an APC of a layer in C in a thread's
// queue that runs dry when the layer has gone.
func TestQueuedAPCOfAnUnloadedProvider(t *testing.T) {
	program := ctest.Compile(t, nil, "testdata/queuedapc.c")
	for _, chain := range []string{"kernel+c-nonifs", "memory+c-nonifs"} {
		t.Run(chain, func(t *testing.T) {
			ctest.Run(t, program, nil, ctest.Named(t, chain).Write(t), patience).OK(t)
		})
	}
}
