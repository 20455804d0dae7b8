package windows_test

import "testing"

func TestBeginThread(t *testing.T) { run(t, "beginthread.c").OK(t) }
