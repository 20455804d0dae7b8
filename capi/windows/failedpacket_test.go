package windows_test

import (
	"testing"

	"upcall.dev/capi/ctest"
)

func TestFailedPacket(t *testing.T) {
	program := ctest.Compile(t, nil, "testdata/failedpacket.c")
	for _, c := range ctest.Chains() {
		t.Run(c.Name, func(t *testing.T) { ctest.Run(t, program, nil, c.Write(t), patience).OK(t) })
	}
}
