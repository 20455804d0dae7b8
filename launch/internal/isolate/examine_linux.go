package isolate

import (
	"context"
	"fmt"
	"net/netip"
	"os/exec"

	"golang.org/x/sys/unix"

	"upcall.dev/launch/machine"
)

// Examine tries all that [Start] needs of the machine: it makes namespaces with
// their link as for a program, and takes them down again.
func Examine(ctx context.Context) []machine.Finding {
	attempt := examine(ctx)
	var findings []machine.Finding
	failed := false
	for _, n := range []struct {
		name string
		kind uintptr
	}{{"user", 0}, {"network", unix.CLONE_NEWNET}, {"mount", unix.CLONE_NEWNS}} {
		var err error
		if attempt != nil {
			err = examineNamespace(ctx, n.kind)
		}
		failed = failed || err != nil
		findings = append(findings, machine.Find(machine.Isolate, n.name+" namespace", machine.Missing, err))
	}
	if !failed {
		findings = append(findings, machine.Find(machine.Isolate, "link out of it", machine.Missing, attempt))
	}
	return findings
}

// examine does what Start does, without a program.
func examine(ctx context.Context) error {
	names, err := hostNames()
	if err != nil {
		return err
	}
	defer names.remove()
	cmd := exec.CommandContext(ctx, "/proc/self/exe")
	stage, outer, err := startStage(cmd, names)
	if err != nil {
		return err
	}
	defer func() {
		stage.conn.Close()
		_ = cmd.Wait()
	}()
	defer outer.close(guarding)
	link, err := newLink(outer, func(netip.AddrPort) {}, func() {})
	if err != nil {
		outer.close(receiving, sending)
		return err
	}
	link.close()
	return nil
}

// examineNamespace starts a process in a user namespace and one of another kind,
// and ends it.
func examineNamespace(ctx context.Context, kind uintptr) error {
	attributes, err := namespaces()
	if err != nil {
		return err
	}
	attributes.Cloneflags = unix.CLONE_NEWUSER | kind
	cmd := exec.CommandContext(ctx, "/proc/self/exe")
	cmd.Args, cmd.Env, cmd.SysProcAttr = []string{stageName}, []string{}, attributes
	if err := cmd.Start(); err != nil {
		return startError(err)
	}
	_ = cmd.Process.Kill()
	if err := cmd.Wait(); cmd.ProcessState == nil {
		return fmt.Errorf("a second copy of this program does not end: %w", err)
	}
	return nil
}
