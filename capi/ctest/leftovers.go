package ctest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// childrenTime is how long a program's children may outlive it: one that it has
// killed may be about to end.
const childrenTime = 5 * time.Second

// leftovers fails the test for what a program that has ended leaves behind: live
// processes of its group, which it kills, and files in its directory of
// temporary files.
func leftovers(t testing.TB, group int, temporary string) {
	t.Helper()
	var children []string
	for end := time.Now().Add(childrenTime); ; time.Sleep(10 * time.Millisecond) {
		children = alive(group)
		if len(children) == 0 || time.Now().After(end) {
			break
		}
	}
	if len(children) > 0 {
		t.Errorf("the program has left processes behind: %s", strings.Join(children, ", "))
		_ = syscall.Kill(-group, syscall.SIGKILL)
	}
	files, err := os.ReadDir(temporary)
	if err != nil {
		t.Error(err)
	}
	for _, f := range files {
		t.Errorf("the program has left the temporary file %s behind", f.Name())
	}
}

// alive returns the processes of a group that have not ended.
func alive(group int) (processes []string) {
	if syscall.Kill(-group, 0) == syscall.ESRCH {
		return nil
	}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range stats {
		text, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		// pid (name) state parent group …
		before, after, _ := strings.Cut(string(text), ") ")
		var state string
		var parent, of int
		if _, err := fmt.Sscan(after, &state, &parent, &of); err == nil && of == group && state != "Z" && state != "X" {
			processes = append(processes, before+")")
		}
	}
	return processes
}
