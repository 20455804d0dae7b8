package seccomp

import (
	"os"
	"os/exec"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"upcall.dev/launch/internal/chains"
)

// sleeper starts a process that ends with the test, at the latest.
func sleeper(t *testing.T) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd
}

func openDescriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// A thread that has ended is not taken for the next one with its number, which is
// what a kept descriptor under the wrong number stands for here.
func TestPidfdOfAnEndedThreadIsReplaced(t *testing.T) {
	p := pidfds{chains: &chains.Set{}}
	defer p.close()
	ended, lives := sleeper(t), sleeper(t)
	borrow := func(tid int) {
		t.Helper()
		fd, err := p.borrow(tid, 0)
		if err != nil {
			t.Fatalf("borrow from %d: %v", tid, err)
		}
		_ = unix.Close(fd)
	}
	borrow(ended.Process.Pid)
	_ = ended.Process.Kill()
	_ = ended.Wait()
	if _, err := p.borrow(ended.Process.Pid, 0); err != unix.ESRCH {
		t.Errorf("borrow from an ended process gave %v", err)
	}
	if len(p.byTID) != 0 {
		t.Errorf("the ended process is still kept: %v", p.byTID)
	}

	stale, _, err := openThread(lives.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	p.keep(lives.Process.Pid, &pidfd{fd: stale})
	again := sleeper(t)
	p.byTID[again.Process.Pid] = p.byTID[lives.Process.Pid]
	delete(p.byTID, lives.Process.Pid)
	_ = lives.Process.Kill()
	_ = lives.Wait()
	borrow(again.Process.Pid)
}

// Many threads, more than are kept, from several callers at once: every borrow
// gives the right process's descriptor, and nothing is left open.
func TestPidfdsAreBounded(t *testing.T) {
	before := openDescriptors(t)
	p := pidfds{chains: &chains.Set{}}
	var processes []*exec.Cmd
	for range mostPidfds + 8 {
		processes = append(processes, sleeper(t))
	}
	var callers sync.WaitGroup
	for caller := range 4 {
		callers.Go(func() {
			for i := range 3 * len(processes) {
				cmd := processes[(i*(caller+1))%len(processes)]
				fd, err := p.borrow(cmd.Process.Pid, 0)
				if err != nil {
					t.Errorf("borrow: %v", err)
					return
				}
				_ = unix.Close(fd)
			}
		})
	}
	callers.Wait()
	if n := len(p.byTID); n > mostPidfds {
		t.Errorf("%d descriptors are kept", n)
	}
	p.close()
	// os/exec keeps a pidfd of its own for each process.
	for _, cmd := range processes {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	if after := openDescriptors(t); after > before {
		t.Errorf("%d descriptors are open, %d were before", after, before)
	}
}
