package ws2

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"upcall.dev/catalog"
	"upcall.dev/internal/outcome"
	"upcall.dev/internal/slot"
	"upcall.dev/internal/wait"
	"upcall.dev/spi"
)

// Config says how a [DLL] works. Only Catalog is needed.
type Config struct {
	// Catalog is read at the first WSAStartup: a *catalog.Catalog or a
	// *catalog.File.
	Catalog catalog.Source
	// Application is the program's path, by which the catalog knows its
	// categories; empty means this process's executable.
	Application string
	// LoadLibrary loads a shared object, whose path has no more environment
	// references, and returns its WSPStartup. nil means that the program cannot
	// load any.
	LoadLibrary func(path string) (spi.StartupFunc, error)
	// LoadNamespace is LoadLibrary for namespace providers: it returns the
	// NSPStartup of a shared object. nil means that the program cannot load any.
	LoadNamespace func(path string) (spi.NSPStartupFunc, error)
	// Log receives what a person should know: a provider that panicked, with
	// its stack, or that could not be loaded. Usually one line. nil means
	// standard error.
	Log func(message string)
	// StartTimeout is the longest that a provider's WSPStartup, and its
	// WSPCleanup, may take; 0 means 10 seconds. A provider that has not
	// answered by then gives WSAEPROVIDERFAILEDINIT.
	StartTimeout time.Duration
	// CountUpcalls keeps [DLL.UpcallStats], at a few nanoseconds an upcall.
	CountUpcalls bool
}

// DLL is one process's Windows Sockets DLL: a catalog, the providers that it
// started from it, and their sockets, events, threads, windows and completion
// ports. Several may live in one program; handles of one mean nothing to
// another, except operating-system handles. All methods may be called from any
// goroutine. Make one with [New].
type DLL struct {
	config Config
	life   lifecycle
	client atomic.Pointer[running] // nil unless client calls are allowed
	// current is what the upcalls see: as client, and also while the last
	// WSACleanup ends the providers.
	current atomic.Pointer[running]

	handles handleTable
	// outcomes is the calls that wait for operations without an event.
	outcomes outcome.Waits
	events   *slot.Table[wait.Event]
	// eventsClosed counts them: what is remembered of handles holds while it stands.
	eventsClosed atomic.Uint64

	threads threadTable
	unbound *Thread

	table         spi.UpcallTable // what every WSPStartup gets
	stats         *upcallCounters // nil unless counted
	windows       windowTable
	ports         portTable
	strays        strays // lane packets that no thread will dequeue
	notifications notificationTable

	names nameTable

	modulesMu sync.Mutex // a leaf lock; guards modules
	modules   map[moduleKey]*module
	complain  complaints // about modules that layers could not load
}

// New returns a DLL that is not started up. It needs no closing beyond the
// WSACleanup of each WSAStartup.
func New(c Config) *DLL {
	d := &DLL{
		config:  c,
		events:  slot.New[wait.Event](kindEvent),
		modules: map[moduleKey]*module{},
	}
	d.handles.nonIFS = slot.New[socket](kindSocket)
	d.threads.ids = slot.New[threadRef](kindThread)
	d.unbound = &Thread{dll: d}
	d.unbound.id.ThreadHandle, _ = d.threads.ids.Insert(&threadRef{thread: d.unbound, own: true}, 0)
	d.windows.init()
	d.ports.init()
	d.names.init()
	d.strays.dll = d
	d.notifications.init()
	d.table = d.upcalls()
	if c.CountUpcalls {
		d.stats = new(upcallCounters)
		d.table = d.stats.counted(d.table)
	}
	return d
}

// Catalog returns the catalog that the DLL has started with, which must not be
// changed; nil while it is not started up.
func (d *DLL) Catalog() *catalog.Catalog {
	if r := d.current.Load(); r != nil {
		return r.catalog
	}
	return nil
}

func (d *DLL) log(message string) {
	if d.config.Log != nil {
		d.config.Log(message)
		return
	}
	fmt.Fprintln(os.Stderr, "upcall: "+message)
}
