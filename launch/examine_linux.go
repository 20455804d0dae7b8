package launch

import (
	"context"
	"os"

	"upcall.dev/catalog"
	"upcall.dev/launch/internal/chains"
	"upcall.dev/launch/internal/isolate"
	"upcall.dev/launch/internal/seccomp"
	"upcall.dev/launch/machine"
	"upcall.dev/ws2"
)

// Examine tries what [Run] needs of the machine and returns what it has found out,
// in the order in which a program needs it. It takes a tenth of a second; ctx
// ends it early. As with Run, main must call [StageMain] first thing.
func Examine(ctx context.Context) []machine.Finding {
	findings := seccomp.Examine(ctx)
	findings = append(findings, isolate.Examine(ctx)...)
	return append(findings, machine.Examine(ctx)...)
}

// ExamineChains starts the chains that the catalog has for this program itself, as
// [Run] does for its program's sockets, and ends them again. The arguments are
// Options.Catalog, Options.NewDLL and Options.Log, of which all may be nil; the
// error is that of Run.
func ExamineChains(source catalog.Source, newDLL func(ws2.Config) *ws2.DLL, log func(line string)) error {
	if log == nil {
		log = func(string) {}
	}
	application, err := os.Executable()
	if err != nil {
		return err
	}
	through, err := chains.Open(chains.Config{Source: source, NewDLL: newDLL, Log: log}, application)
	if err != nil {
		return err
	}
	return through.Close(closePatience)
}
