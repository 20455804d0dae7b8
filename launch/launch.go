package launch

import (
	"io"
	"time"

	"upcall.dev/catalog"
	"upcall.dev/ws2"
)

// DefaultConnectTimeout is [Options.ConnectTimeout] when it is zero. It is
// longer than the kernel's own patience with a peer that does not answer, so
// that only a provider that hangs reaches it.
const DefaultConnectTimeout = 150 * time.Second

// Options say what [Run] runs, and how.
type Options struct {
	// Catalog decides through which chain connections go. nil means the
	// installed catalog, the file at catalog.DefaultPath. Sockets that a program
	// makes after a change of a catalog.Watched, such as a *catalog.File, go by
	// the new one.
	Catalog catalog.Source

	// NewDLL makes the DLL that the providers are loaded into, nil for ws2.New.
	NewDLL func(ws2.Config) *ws2.DLL

	// Program is a path, or a name to look up in the PATH of Env.
	Program string
	// Args are the program's arguments, without its name.
	Args []string
	// Env is the program's environment, nil for this process's.
	Env []string
	// Dir is the program's working directory, "" for this process's.
	Dir string

	// Stdin, Stdout and Stderr are the program's, as in exec.Cmd: an *os.File
	// is passed on as it is, nil means /dev/null.
	Stdin          io.Reader
	Stdout, Stderr io.Writer

	// Isolate runs the program in network and user namespaces of its own, whose
	// one way out are the chains, instead of trapping its system calls.
	Isolate bool

	// FailOpen lets the sockets of a program whose chain does not start go as
	// without it, by the kernel's provider alone; Log says so, once for each chain.
	// Without it Run fails, and in mid-run such a program's sockets do, with
	// ENETDOWN. A chain that starts and then refuses a connection is not meant.
	FailOpen bool

	// Verbose also reports what is not carried as it happens, and at the end a
	// Summary; and the stack of a provider that panics.
	Verbose bool
	// Summary, unless nil, is called with what has become of the program's
	// sockets before Run returns, once the program has run. Its figures cost some
	// calls that nobody would stop without Verbose and Summary, such as making a
	// UDP socket or sending a datagram.
	Summary func(Summary)
	// Log receives one line for each event worth telling a person. It may be
	// called from several goroutines at once. nil writes to standard error.
	Log func(line string)

	// ConnectTimeout is the longest that the chain may take to connect, zero
	// for DefaultConnectTimeout. The program then gets ETIMEDOUT and Log says
	// which chain did not answer.
	ConnectTimeout time.Duration

	// patience is how long, at the end, peers may take nothing of what the
	// program had sent, and then providers to return from their calls. Zero: 5 s.
	patience time.Duration
}
