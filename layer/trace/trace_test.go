package trace

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"upcall.dev/nonifs"
	"upcall.dev/spi"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// scripted is a next provider with fixed answers.
type scripted struct {
	spi.Provider
	reads [][]byte
}

// answering is a provider of whose functions each fails with errno.
func answering(errno spi.Errno) spi.Provider {
	table := &spi.ProcTable{}
	v := reflect.ValueOf(table).Elem()
	for i := range v.NumField() {
		f := v.Field(i)
		f.Set(reflect.MakeFunc(f.Type(), func([]reflect.Value) []reflect.Value {
			out := make([]reflect.Value, f.Type().NumOut())
			for j := range out {
				out[j] = reflect.Zero(f.Type().Out(j))
			}
			out[len(out)-1] = reflect.ValueOf(errno)
			return out
		}))
	}
	return table.Provider()
}

func (p *scripted) WSPSocket(int32, int32, int32, *spi.ProtocolInfo, spi.Group, uint32) (spi.Socket, spi.Errno) {
	return 7, 0
}

func (p *scripted) WSPGetSockName(_ spi.Socket, name []byte, length *int32) spi.Errno {
	return spi.StoreAddress(spi.SockaddrFrom(netip.MustParseAddrPort("127.0.0.1:40000")), name, length)
}

func (p *scripted) WSPAccept(_ spi.Socket, addr []byte, addrLen *int32, _ spi.ConditionFunc, _ uintptr) (spi.Socket, spi.Errno) {
	return 0x500000004, spi.StoreAddress(spi.SockaddrFrom(netip.MustParseAddrPort("[::1]:99")), addr, addrLen)
}

func (p *scripted) WSPSend(_ spi.Socket, bufs []spi.Buf, sent *uint32, _ uint32, _ *spi.Overlapped, _ spi.CompletionRoutine, _ *spi.ThreadID) spi.Errno {
	*sent = uint32(spi.BufsLen(bufs))
	return 0
}

func (p *scripted) WSPRecv(_ spi.Socket, bufs []spi.Buf, received, _ *uint32, _ *spi.Overlapped, _ spi.CompletionRoutine, _ *spi.ThreadID) spi.Errno {
	if len(p.reads) == 0 {
		return spi.WSAEWOULDBLOCK
	}
	*received = uint32(copy(bufs[0].Bytes(), p.reads[0]))
	p.reads = p.reads[1:]
	return 0
}

func (p *scripted) WSPGetSockOpt(_ spi.Socket, _, name int32, val []byte, valLen *int32) spi.Errno {
	*valLen = int32(copy(val, []byte{0x4d, 0x27, 0, 0})) // 10061
	return 0
}

func (p *scripted) WSPEnumNetworkEvents(_ spi.Socket, _ spi.Event, out *spi.NetworkEvents) spi.Errno {
	out.NetworkEvents = spi.FD_WRITE | spi.FD_CONNECT
	out.ErrorCode[4] = int32(spi.WSAECONNREFUSED)
	return 0
}

func (p *scripted) WSPSelect(read, write, except *spi.FDSet, _ *spi.Timeval) (int32, spi.Errno) {
	write.Count = 0
	return 1, 0
}

// pending is a next provider whose receives go on until end.
type pending struct {
	spi.Provider
	s       spi.Socket
	bufs    []spi.Buf
	ov      *spi.Overlapped
	routine spi.CompletionRoutine
	observe func(*nonifs.Transfer) // of a helper below, if there is one
}

func (p *pending) WSPRecv(s spi.Socket, bufs []spi.Buf, _, _ *uint32, ov *spi.Overlapped, routine spi.CompletionRoutine, _ *spi.ThreadID) spi.Errno {
	p.s, p.bufs, p.ov, p.routine = s, bufs, ov, routine
	ov.Start()
	return spi.WSA_IO_PENDING
}

func (p *pending) end(errno spi.Errno, n uint32) {
	if p.observe != nil {
		p.observe(&nonifs.Transfer{Call: "WSPRecv", Socket: p.s, Receive: true, Bufs: p.bufs, N: n, Errno: errno, Overlapped: p.ov})
	}
	p.ov.Complete(errno, n)
}

func (p *pending) WSPGetOverlappedResult(_ spi.Socket, ov *spi.Overlapped, transferred *uint32, _ bool, flags *uint32) spi.Errno {
	if ov.InProgress() {
		return spi.WSA_IO_INCOMPLETE
	}
	*transferred, *flags = uint32(ov.InternalHigh), ov.Offset
	return spi.Errno(ov.OffsetHigh)
}

// traced returns a tracer over p that writes to out, on a clock that each look
// at moves by a millisecond.
func traced(t *testing.T, p spi.Provider, o spi.Options) (*tracer, *bytes.Buffer) {
	t.Helper()
	c, err := parse(o)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	clock := time.Date(2026, 1, 2, 9, 41, 7, 0, time.UTC)
	now := func() time.Time {
		defer func() { clock = clock.Add(time.Millisecond) }()
		return clock
	}
	return newTracer(p, c, newSink("test", &out), now), &out
}

var server = spi.SockaddrFrom(netip.MustParseAddrPort("127.0.0.1:8080"))

func request(p spi.Provider) {
	var n, flags uint32
	name, length := make([]byte, 128), int32(128)
	s, _ := p.WSPSocket(spi.AF_INET, spi.SOCK_STREAM, spi.IPPROTO_TCP, nil, 0, 0)
	p.WSPSetSockOpt(s, spi.IPPROTO_TCP, spi.TCP_NODELAY, []byte{1, 0, 0, 0})
	p.WSPConnect(s, server, nil, nil, nil, nil)
	p.WSPGetSockName(s, name, &length)
	p.WSPSend(s, []spi.Buf{spi.NewBuf([]byte("GET / HTTP")), spi.NewBuf([]byte("/1.0\r\n\r\n"))}, &n, 0, nil, nil, nil)
	p.WSPShutdown(s, spi.SD_SEND)
	p.WSPRecv(s, []spi.Buf{spi.NewBuf(make([]byte, 4096))}, &n, &flags, nil, nil, nil)
	p.WSPRecv(s, []spi.Buf{spi.NewBuf(make([]byte, 4096))}, &n, &flags, nil, nil, nil)
	p.WSPCloseSocket(s)
}

func block(t *testing.T, readme, kind string) string {
	t.Helper()
	_, rest, found := strings.Cut(readme, "```"+kind+"\n")
	text, _, closed := strings.Cut(rest, "```")
	if !found || !closed {
		t.Fatalf("README.md has no %s block", kind)
	}
	return text
}

func TestReadme(t *testing.T) {
	b, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	readme := string(b)

	t.Run("output", func(t *testing.T) {
		path := regexp.MustCompile(`(?m)^    (go:trace\S*)$`).FindStringSubmatch(readme)
		_, o, _, err := spi.ParseGoPath(path[1])
		if err != nil {
			t.Fatal(err)
		}
		p, out := traced(t, &scripted{answering(0), [][]byte{{0, 1, 2, 3, 4, 5, 6, 7}}}, o)
		request(p)
		if diff := cmp.Diff(block(t, readme, "text"), out.String()); diff != "" {
			t.Error(diff)
		}

		o["format"] = "json"
		p, out = traced(t, &scripted{answering(0), nil}, o)
		request(p)
		send := strings.Split(out.String(), "\n")[4] + "\n"
		if diff := cmp.Diff(block(t, readme, "json"), send); diff != "" {
			t.Error(diff)
		}
	})

	t.Run("completion", func(t *testing.T) {
		for _, format := range []string{"text", "json"} {
			next := &pending{Provider: answering(0)}
			p, out := traced(t, next, spi.Options{"data": "on", "format": format})
			p.observes = true
			next.observe = p.completed
			buf := make([]byte, 4096)
			copy(buf, "hello, what is behind was there before")
			var n, flags uint32
			p.WSPRecv(7, []spi.Buf{spi.NewBuf(buf)}, &n, &flags, &spi.Overlapped{}, nil, nil)
			next.end(0, 5)
			lines := out.String()
			if format == "json" {
				_, lines, _ = strings.Cut(lines, "\n")
			}
			if diff := cmp.Diff(block(t, readme, "completion-"+format), lines); diff != "" {
				t.Error(diff)
			}
			out.Reset()
			p.completed(&nonifs.Transfer{Call: "WSPRecv", Socket: 7, N: 5}) // not overlapped: the call has its line
			if out.Len() != 0 {
				t.Error(out.String())
			}
		}
	})

	t.Run("result", func(t *testing.T) {
		next := &pending{Provider: answering(0)}
		p, out := traced(t, next, nil)
		var n, flags uint32
		ov := &spi.Overlapped{}
		p.WSPRecv(7, []spi.Buf{spi.NewBuf(make([]byte, 4096))}, &n, &flags, ov, nil, nil)
		next.end(0, 5)
		p.WSPGetOverlappedResult(7, ov, &n, false, &flags)
		if diff := cmp.Diff(block(t, readme, "result"), out.String()); diff != "" {
			t.Error(diff)
		}
	})

	t.Run("routine", func(t *testing.T) {
		next := &pending{Provider: answering(0)}
		p, out := traced(t, next, nil)
		var n, flags uint32
		ran := 0
		p.WSPRecv(7, []spi.Buf{spi.NewBuf(make([]byte, 4096))}, &n, &flags, &spi.Overlapped{}, func(errno spi.Errno, n uint32, ov *spi.Overlapped, flags uint32) {
			ran++
			if errno != spi.WSAECONNRESET || n != 0 || ov != next.ov || flags != 9 {
				t.Errorf("the routine got %v, %d, %p, %d", errno, n, ov, flags)
			}
		}, nil)
		next.routine(spi.WSAECONNRESET, 0, next.ov, 9)
		if diff := cmp.Diff(block(t, readme, "routine"), out.String()); diff != "" || ran != 1 {
			t.Error(ran, diff)
		}
	})

	t.Run("commands", func(t *testing.T) {
		commands := regexp.MustCompile(`--through trace:(\S+)`).FindAllStringSubmatch(readme, -1)
		if len(commands) < 2 {
			t.Fatal("README.md has no example commands")
		}
		for _, m := range commands {
			o := spi.Options{}
			for pair := range strings.SplitSeq(m[1], ",") {
				k, v, _ := strings.Cut(pair, "=")
				o[k] = v
			}
			if _, set := o["file"]; set {
				o["file"] = filepath.Join(t.TempDir(), "trace")
			}
			if _, err := spi.OpenDriver(spi.NewGUID(), spi.GoPath("trace", o)); err != nil {
				t.Error(err)
			}
		}
	})

	t.Run("options", func(t *testing.T) {
		for _, o := range options {
			if !strings.Contains(readme, "| `"+o.Name+"=") {
				t.Errorf("option %s is not described", o.Name)
			}
		}
		for field := range reflect.TypeFor[object]().Fields() {
			key, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if !strings.Contains(readme, "`"+key+"`") {
				t.Errorf("JSON key %s is not described", key)
			}
		}
	})
}

// TestEveryFunction calls each of the thirty with nothing but zero values:
// each writes its line, passes the error on and survives.
func TestEveryFunction(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		p, out := traced(t, answering(spi.WSAEFAULT), spi.Options{"format": format, "data": "on"})
		v := reflect.ValueOf(spi.Provider(p))
		for i := range reflect.TypeFor[spi.Provider]().NumMethod() {
			name := reflect.TypeFor[spi.Provider]().Method(i).Name
			method := v.MethodByName(name)
			var args []reflect.Value
			for i := range method.Type().NumIn() {
				args = append(args, reflect.Zero(method.Type().In(i)))
			}
			out.Reset()
			results := method.Call(args)
			if errno := results[len(results)-1].Interface(); errno != spi.WSAEFAULT {
				t.Errorf("%s returns %v", name, errno)
			}
			line := out.String()
			if strings.Count(line, "\n") != 1 || !strings.Contains(line, name) || !strings.Contains(line, "WSAEFAULT") {
				t.Errorf("%s %s: %q", name, format, line)
			}
		}
	}
}

func TestLines(t *testing.T) {
	p, out := traced(t, &scripted{Provider: answering(0)}, nil)
	val, length := make([]byte, 4), int32(4)
	var events spi.NetworkEvents
	var n uint32
	for _, test := range []struct {
		call func()
		want string
	}{
		{func() { p.WSPAccept(7, nil, nil, nil, 0) }, "WSPAccept(7) = 0x500000004 from [::1]:99"},
		{func() { p.WSPListen(7, spi.SOMAXCONN) }, "WSPListen(7, SOMAXCONN) = ok"},
		{func() { p.WSPListen(7, 5) }, "WSPListen(7, 5) = ok"},
		{func() { p.WSPBind(7, server) }, "WSPBind(7, 127.0.0.1:8080) = ok"},
		{func() { p.WSPGetSockOpt(7, spi.SOL_SOCKET, spi.SO_ERROR, val, &length) }, "WSPGetSockOpt(7, SO_ERROR) = WSAECONNREFUSED"},
		{func() { p.WSPSetSockOpt(7, spi.SOL_SOCKET, spi.SO_LINGER, []byte{1, 0, 9, 0}) }, "WSPSetSockOpt(7, SO_LINGER, 9s) = ok"},
		{func() { p.WSPSetSockOpt(7, 300, 4, nil) }, "WSPSetSockOpt(7, 300 4, 0 bytes) = ok"},
		{func() { p.WSPIoctl(7, spi.FIONBIO, []byte{1, 0, 0, 0}, nil, nil, nil, nil, nil) }, "WSPIoctl(7, FIONBIO, 1) = ok"},
		{func() { p.WSPEventSelect(7, 0x44, spi.FD_READ|spi.FD_CLOSE) }, "WSPEventSelect(7, event 0x44, FD_READ|FD_CLOSE) = ok"},
		{func() { p.WSPEnumNetworkEvents(7, 0, &events) }, "WSPEnumNetworkEvents(7) = FD_WRITE|FD_CONNECT FD_CONNECT:WSAECONNREFUSED"},
		{func() { p.WSPSelect(spi.NewFDSet(3, 4), spi.NewFDSet(5), nil, &spi.Timeval{Sec: 2}) }, "WSPSelect(r[3 4] w[5], 2s) = 1 r[3 4]"},
		{func() {
			p.WSPSendTo(7, []spi.Buf{spi.NewBuf([]byte("hi"))}, &n, spi.MSG_OOB, server, nil, nil, nil)
		}, "WSPSendTo(7, MSG_OOB, 2 bytes, 127.0.0.1:8080) = 0 bytes"},
		{func() { p.WSPCleanup() }, "WSPCleanup() = ok"},
	} {
		out.Reset()
		test.call()
		line := strings.TrimSuffix(out.String()[len("09:41:07.000000 "):], " <1ms>\n")
		if line != test.want {
			t.Errorf("got  %s\nwant %s", line, test.want)
		}
	}
}

// A client may leave its operations to a port and ask for no result: what is
// remembered of them is bounded.
func TestUnaskedOperationsAreForgotten(t *testing.T) {
	var o operations
	ovs := make([]spi.Overlapped, mostPending+10)
	for i := range ovs {
		o.begin(&ovs[i], operation{call: "WSPRecv"})
	}
	if len(o.pending) != mostPending {
		t.Errorf("%d operations are remembered", len(o.pending))
	}
	o.begin(&ovs[0], operation{call: "WSPSend"})
	if op, ok := o.end(&ovs[0]); !ok || op.call != "WSPSend" {
		t.Errorf("%+v, %t", op, ok)
	}
}

func TestCallsFilter(t *testing.T) {
	p, out := traced(t, &scripted{Provider: answering(0)}, spi.Options{"calls": "WSPSend+connect,shutdown"})
	request(p)
	var calls []string
	for line := range strings.Lines(out.String()) {
		name, _, _ := strings.Cut(strings.Fields(line)[1], "(")
		calls = append(calls, name)
	}
	if want := []string{"WSPConnect", "WSPSend", "WSPShutdown"}; !slices.Equal(calls, want) {
		t.Errorf("traced %v, want %v", calls, want)
	}
}

func TestDataOffShowsNoData(t *testing.T) {
	p, out := traced(t, &scripted{answering(0), [][]byte{[]byte("secret")}}, nil)
	request(p)
	if strings.Contains(out.String(), "GET") || strings.Contains(out.String(), "secret") {
		t.Error(out.String())
	}
}

func TestOptionsAreRefused(t *testing.T) {
	for query, want := range map[string]string{
		"format=xml":             `trace: format="xml" is not known: choose text or json`,
		"data=yes":               `trace: data="yes" is not known: choose off or on`,
		"preview=-1":             `trace: preview="-1" is no number of bytes: choose 0 to 65536`,
		"preview=1k":             `trace: preview="1k" is no number of bytes: choose 0 to 65536`,
		"calls=":                 `trace: calls="" names no function: write some joined with +, such as connect+accept`,
		"file=":                  `trace: file="" names no file: give a path, or leave it out for standard error`,
		"file=/nonexistent/x/y":  `trace: file="/nonexistent/x/y" cannot be written, choose another: open /nonexistent/x/y: no such file or directory`,
		"colour=red":             `trace has no option "colour": choose from file, format, data, preview, calls`,
		"calls=send&format=TEXT": `trace: format="TEXT" is not known: choose text or json`,
	} {
		_, err := spi.OpenDriver(spi.NewGUID(), "go:trace?"+query)
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v\nwant %s", query, err, want)
		}
	}
	_, err := spi.OpenDriver(spi.NewGUID(), "go:trace?calls=dial")
	if err == nil || !strings.HasPrefix(err.Error(), `trace: calls="dial": no function is called "dial": join some of accept, addresstostring, `) {
		t.Error(err)
	}
}

func TestOnlyDataNeedsOwnHandles(t *testing.T) {
	d, _ := spi.LookupDriver("trace")
	if !d.IFS(nil) || !d.IFS(spi.Options{"data": "off"}) || d.IFS(spi.Options{"data": "on"}) {
		t.Error("trace passes IFS handles through except with data=on")
	}
}

// TestLinesStayWhole writes from many goroutines through several tracers to
// one file.
func TestLinesStayWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace")
	const tracers, goroutines, rounds = 3, 8, 50
	var wg sync.WaitGroup
	for range tracers {
		c, err := parse(spi.Options{"format": "json", "file": path, "data": "on"})
		if err != nil {
			t.Fatal(err)
		}
		p := newTracer(&scripted{Provider: answering(0)}, c, mustOpen(t, path), time.Now)
		wg.Go(func() {
			defer p.Close()
			var inner sync.WaitGroup
			for range goroutines {
				inner.Go(func() {
					for range rounds {
						var n uint32
						p.WSPSend(7, []spi.Buf{spi.NewBuf(bytes.Repeat([]byte("x"), 60))}, &n, 0, nil, nil, nil)
					}
				})
			}
			inner.Wait()
		})
	}
	wg.Wait()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
	if len(lines) != tracers*goroutines*rounds {
		t.Fatalf("%d lines, want %d", len(lines), tracers*goroutines*rounds)
	}
	for _, line := range lines {
		var o object
		if err := json.Unmarshal([]byte(line), &o); err != nil || o.Call != "WSPSend" || len(o.Text) != 60 {
			t.Fatalf("%v: %q", err, line)
		}
	}
}

// failing is a writer on a full disk.
type failing struct{ writes int }

func (f *failing) Write([]byte) (int, error) {
	f.writes++
	return 0, errors.New("no space left on device")
}

func TestFailingFileFailsNoCall(t *testing.T) {
	p, _ := traced(t, &scripted{Provider: answering(0)}, nil)
	full := &failing{}
	p.out.out = full
	if errno := p.WSPBind(7, server); errno != 0 {
		t.Error(errno)
	}
	if errno := p.WSPBind(7, server); errno != 0 {
		t.Error(errno)
	}
	if full.writes != 2 {
		t.Errorf("%d writes; the file may have room again", full.writes)
	}
}

func TestCleanupIsTheLastLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trace")
	c, _ := parse(spi.Options{"file": path})
	next := &closing{Provider: answering(0)}
	p := newTracer(next, c, mustOpen(t, path), time.Now)
	next.close = p.Close
	p.WSPCleanup()
	b, _ := os.ReadFile(path)
	if !strings.Contains(string(b), "WSPCleanup() = ok") {
		t.Errorf("%q", b)
	}
	if _, err := p.out.file.Write(nil); !errors.Is(err, os.ErrClosed) {
		t.Errorf("the file is still open: %v", err)
	}
}

// closing calls Close within WSPCleanup, as package layer does.
type closing struct {
	spi.Provider
	close func() error
}

func (c *closing) WSPCleanup() spi.Errno {
	_ = c.close()
	return 0
}

func FuzzOptions(f *testing.F) {
	f.Add("calls=send+recv&preview=3&data=on")
	f.Add("file=%00&format=json")
	f.Fuzz(func(t *testing.T, query string) {
		_, o, ok, err := spi.ParseGoPath("go:trace?" + query)
		if !ok || err != nil {
			return
		}
		if _, err := parse(o); err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("error of more than one line: %q", err)
		}
	})
}
