package windows_test

import (
	"syscall"
	"testing"

	"upcall.dev/capi/ctest"
)

func TestThreadsEndInCallbacks(t *testing.T) {
	program := ctest.Compile(t, nil, "testdata/leave.c")
	for _, chain := range []string{"kernel", "memory"} {
		t.Run(chain, func(t *testing.T) {
			catalog := ctest.Named(t, chain).Write(t)
			ctest.Run(t, program, nil, catalog, patience).OK(t)
			for _, way := range []string{"0", "1", "2"} {
				if r := ctest.Run(t, program, []string{way}, catalog, patience); r.Code != 3 {
					t.Errorf("exit in callback %s: %v", way, r)
				}
			}
		})
	}
}

func TestExceptionsEndTheProcess(t *testing.T) {
	program := ctest.Compile(t, nil, "testdata/throws.cpp")
	if r := ctest.Run(t, program, nil, ctest.Named(t, "kernel").Write(t), patience); r.Signal != syscall.SIGABRT {
		t.Errorf("an exception left a completion routine: %v", r)
	}
}
