package spi

import (
	"bytes"
	"encoding/binary"
	"reflect"
	"testing"
	"unsafe"

	"pgregory.net/rapid"
)

// plain is what a query set says, without pointers.
type plain struct {
	name, comment, context, query string
	class, provider               GUID
	version                       ServiceVersion
	space, output                 uint32
	protocols                     []AFProtocol
	local, remote                 [][]byte
	blob                          []byte
}

func plainOf(q *QuerySet) plain {
	p := plain{
		name: q.Name(), comment: UTF16PtrToString(q.Comment), context: UTF16PtrToString(q.Context), query: UTF16PtrToString(q.QueryString),
		space: q.NameSpace, output: q.OutputFlags, blob: append([]byte(nil), q.Blob.Bytes()...),
	}
	if q.ServiceClassID != nil {
		p.class = *q.ServiceClassID
	}
	if q.NSProviderID != nil {
		p.provider = *q.NSProviderID
	}
	if q.Version != nil {
		p.version = *q.Version
	}
	p.protocols = append(p.protocols, q.ProtocolList()...)
	for _, a := range q.Addresses() {
		p.local = append(p.local, append([]byte(nil), a.LocalAddr.Bytes()...))
		p.remote = append(p.remote, append([]byte(nil), a.RemoteAddr.Bytes()...))
	}
	return p
}

func drawQuerySet(t *rapid.T) *QuerySet {
	text := func(label string) *uint16 {
		if rapid.Bool().Draw(t, label+"?") {
			return UTF16Ptr(rapid.StringMatching(`[a-zä日]{0,9}`).Draw(t, label))
		}
		return nil
	}
	q := &QuerySet{
		Size: SizeofQuerySet, ServiceInstanceName: text("name"), Comment: text("comment"), Context: text("context"), QueryString: text("query"),
		NameSpace: rapid.Uint32().Draw(t, "space"), OutputFlags: rapid.Uint32().Draw(t, "output"),
	}
	if rapid.Bool().Draw(t, "class?") {
		class := SVCID_TCP(rapid.Uint16().Draw(t, "class"))
		q.ServiceClassID, q.NSProviderID, q.Version = &class, &SVCID_HOSTNAME, &ServiceVersion{Version: 7}
	}
	q.SetProtocols(make([]AFProtocol, rapid.IntRange(0, 3).Draw(t, "protocols")))
	var addresses []CSAddrInfo
	for range rapid.IntRange(0, 4).Draw(t, "addresses") {
		addresses = append(addresses, CSAddrInfo{
			LocalAddr:  NewSocketAddress(rapid.SliceOfN(rapid.Byte(), 0, 28).Draw(t, "local")),
			RemoteAddr: NewSocketAddress(rapid.SliceOfN(rapid.Byte(), 0, 28).Draw(t, "remote")),
		})
	}
	q.SetAddresses(addresses)
	if rapid.Bool().Draw(t, "blob?") {
		q.Blob = NewBlob(rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "blob"))
	}
	return q
}

// A packed query set says the same, points into its own memory alone, and needs
// exactly the length that a short buffer is told.
func TestQuerySetPacks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := drawQuerySet(t)
		var needed uint32
		if e := q.Pack(nil, &needed); e != WSAEFAULT {
			t.Fatalf("no room: %v", e)
		}
		memory := make([]byte, needed+8)
		for i := range memory {
			memory[i] = 0xee
		}
		short := needed - 1
		if e := q.Pack(memory, &short); e != WSAEFAULT || short != needed || memory[0] != 0xee {
			t.Fatalf("one byte short: %v, %d of %d, first byte %#x", e, short, needed, memory[0])
		}
		exact := needed
		if e := q.Pack(memory, &exact); e != 0 || exact != needed {
			t.Fatalf("exact: %v, %d", e, exact)
		}
		if !bytes.Equal(memory[needed:], bytes.Repeat([]byte{0xee}, 8)) {
			t.Fatal("wrote behind its end")
		}
		got := QuerySetAt(memory)
		if want := plainOf(q); !reflect.DeepEqual(plainOf(got), want) {
			t.Fatalf("%+v, want %+v", plainOf(got), want)
		}
		begin := uintptr(unsafe.Pointer(&memory[0]))
		for offset := 8; offset < SizeofQuerySet; offset += 8 {
			switch offset {
			case 40, 64, 88, 104: // numbers
				continue
			}
			p := uintptr(binary.NativeEndian.Uint64(memory[offset:]))
			if p != 0 && (p < begin || p >= begin+uintptr(needed)) {
				t.Fatalf("the pointer at %d leaves the buffer", offset)
			}
		}
		clone, e := q.Clone()
		if e != 0 || !reflect.DeepEqual(plainOf(clone), plainOf(q)) {
			t.Fatalf("clone: %v, %+v", e, clone)
		}
	})
}

// A query set of the second version says what the first does, but for the class.
func TestQuerySet2Packs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := drawQuerySet(t)
		want := plainOf(q)
		want.class = GUID{}
		second := q.Second()
		if got := plainOf(second.First()); !reflect.DeepEqual(got, want) {
			t.Fatalf("there and back: %+v, want %+v", got, want)
		}
		var needed uint32
		if e := second.Pack(nil, &needed); e != WSAEFAULT {
			t.Fatalf("no room: %v", e)
		}
		memory := make([]byte, needed)
		if e := second.Pack(memory, &needed); e != 0 {
			t.Fatal(e)
		}
		packed := QuerySet2At(memory)
		if packed.Size != SizeofQuerySet2 {
			t.Fatalf("size %d", packed.Size)
		}
		if got := plainOf(packed.First()); !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v, want %+v", got, want)
		}
		begin, end := uintptr(unsafe.Pointer(&memory[0])), uintptr(unsafe.Pointer(&memory[0]))+uintptr(needed)
		for offset := 8; offset < SizeofQuerySet2; offset += 8 {
			switch offset {
			case 32, 56, 80, 96: // numbers
				continue
			}
			if p := uintptr(binary.NativeEndian.Uint64(memory[offset:])); p != 0 && (p < begin || p >= end) {
				t.Fatalf("the pointer at %d leaves the buffer", offset)
			}
		}
	})
	if e := (&QuerySet2{Size: SizeofQuerySet2 - 1}).Pack(nil, new(uint32)); e != WSAEINVAL {
		t.Errorf("too small: %v", e)
	}
	if e := (&QuerySet2{Size: SizeofQuerySet2, NumberOfCsAddrs: 1}).Pack(nil, new(uint32)); e != WSAEINVAL {
		t.Errorf("a count without addresses: %v", e)
	}
	if e := new(QuerySet2).Pack(nil, nil); e != WSAEFAULT {
		t.Errorf("no length: %v", e)
	}
	if QuerySet2At(make([]byte, SizeofQuerySet2-1)) != nil {
		t.Error("reads behind the end of its memory")
	}
}

func TestCheckNSPv2(t *testing.T) {
	whole := NSPv2Routine{
		Size:                       SizeofNSPv2Routine,
		LpNSPv2LookupServiceBegin:  func(*GUID, *QuerySet2, uint32, uintptr) (Lookup, Errno) { return 0, 0 },
		LpNSPv2LookupServiceNextEx: func(AsyncCall, Lookup, uint32, *uint32, []byte) {},
		LpNSPv2LookupServiceEnd:    func(Lookup) Errno { return 0 },
	}
	if e := CheckNSPv2(&whole); e != 0 {
		t.Errorf("the functions for lookups alone: %v", e)
	}
	small, noBegin, noNext, noEnd := whole, whole, whole, whole
	small.Size--
	noBegin.LpNSPv2LookupServiceBegin, noNext.LpNSPv2LookupServiceNextEx, noEnd.LpNSPv2LookupServiceEnd = nil, nil, nil
	for i, r := range []*NSPv2Routine{nil, &small, &noBegin, &noNext, &noEnd} {
		if e := CheckNSPv2(r); e != WSAEINVAL {
			t.Errorf("table %d: %v", i, e)
		}
	}
}

func TestQuerySetRefusesWhatCannotBe(t *testing.T) {
	if _, e := (*QuerySet)(nil).Clone(); e != WSAEFAULT {
		t.Errorf("nil: %v", e)
	}
	for i, q := range []QuerySet{
		{Size: 119},
		{Size: 120, NumberOfProtocols: 1},
		{Size: 120, NumberOfCsAddrs: 1},
		{Size: 120, NumberOfCsAddrs: 1, CsaBuffer: &CSAddrInfo{LocalAddr: SocketAddress{Length: 16}}},
		{Size: 120, NumberOfCsAddrs: 1, CsaBuffer: &CSAddrInfo{LocalAddr: SocketAddress{Length: -1}}},
		{Size: 120, Blob: &Blob{Size: 1}},
		{Size: 120, Blob: &Blob{Size: 1 << 30, Data: new(byte)}},
		{Size: 120, NumberOfProtocols: 1 << 20, Protocols: new(AFProtocol)},
	} {
		var length uint32
		if _, e := q.Clone(); e != WSAEINVAL {
			t.Errorf("%d: %v", i, e)
		}
		if e := q.Pack(nil, &length); e != WSAEINVAL {
			t.Errorf("%d: packed: %v", i, e)
		}
	}
	memory := make([]byte, 400)
	length := uint32(300)
	good := QuerySet{Size: 120}
	if e := good.Pack(memory[1:], &length); e != WSAEFAULT {
		t.Errorf("misaligned: %v", e)
	}
	if QuerySetAt(memory[1:]) != nil || QuerySetAt(memory[:119]) != nil {
		t.Error("a query set where none can be")
	}
}

// FuzzQuerySet fills buffers of any size from any text.
func FuzzQuerySet(f *testing.F) {
	f.Add("localhost", uint16(300), []byte{2, 0, 0, 80, 127, 0, 0, 1})
	f.Add("", uint16(0), []byte{})
	f.Fuzz(func(t *testing.T, name string, room uint16, address []byte) {
		q := QuerySet{Size: SizeofQuerySet, ServiceInstanceName: UTF16Ptr(name)}
		q.SetAddresses([]CSAddrInfo{{RemoteAddr: NewSocketAddress(address)}})
		memory := make([]byte, room)
		length := uint32(room)
		switch e := q.Pack(memory, &length); e {
		case 0:
			if got := QuerySetAt(memory); got.Name() != q.Name() {
				t.Errorf("%q came back as %q", q.Name(), got.Name())
			}
		case WSAEFAULT:
			if length <= uint32(room) {
				t.Errorf("%d bytes do not do, %d are needed", room, length)
			}
		case WSAEINVAL:
			if len(address) <= longestAddress {
				t.Errorf("refused an address of %d bytes", len(address))
			}
		default:
			t.Error(e)
		}
	})
}

func TestServiceClassPacks(t *testing.T) {
	class := SVCID_UDP(53)
	value := NSClassInfo{Name: UTF16Ptr("UdpPort"), NameSpace: NS_DNS, ValueType: 4, ValueSize: 4, Value: &[]byte{53, 0, 0, 0}[0]}
	info := ServiceClassInfo{ServiceClassID: &class, ServiceClassName: UTF16Ptr("domain"), Count: 1, ClassInfos: &value}
	var length uint32
	if e := info.Pack(nil, &length); e != WSAEFAULT {
		t.Fatal(e)
	}
	memory := make([]byte, length)
	if e := info.Pack(memory, &length); e != 0 {
		t.Fatal(e)
	}
	got := ServiceClassInfoAt(memory)
	if *got.ServiceClassID != class || UTF16PtrToString(got.ServiceClassName) != "domain" || *got.Values()[0].Value != 53 {
		t.Errorf("%+v", got)
	}
	if protocol, port, ok := PortOfSVCID(class); !ok || protocol != IPPROTO_UDP || port != 53 {
		t.Errorf("class of %d, port %d, %v", protocol, port, ok)
	}
	if e := new(ServiceClassInfo).Pack(nil, &length); e != WSAEINVAL {
		t.Errorf("no class: %v", e)
	}
}

func TestEntsRoundTrip(t *testing.T) {
	host := Host{Name: "a.example", Aliases: []string{"a", "b"}, Family: AF_INET, Addresses: [][]byte{{127, 0, 0, 1}, {127, 0, 0, 2}}}
	if got := host.Hostent().Host(); !reflect.DeepEqual(got, host) {
		t.Errorf("%+v, want %+v", got, host)
	}
	service := Service{Name: "http", Aliases: []string{"www"}, Protocol: "tcp", Port: 80}
	if got := service.Servent().Service(); !reflect.DeepEqual(got, service) {
		t.Errorf("%+v, want %+v", got, service)
	}
	protocol := Protocol{Name: "tcp", Aliases: []string{"TCP"}, Number: 6}
	if got := protocol.Protoent().Protocol(); !reflect.DeepEqual(got, protocol) {
		t.Errorf("%+v, want %+v", got, protocol)
	}
	blob := host.Blob()
	addresses := binary.NativeEndian.Uint64(blob[24:])
	first := binary.NativeEndian.Uint64(blob[addresses:])
	if !bytes.Equal(blob[first:first+4], []byte{127, 0, 0, 1}) || binary.NativeEndian.Uint64(blob[addresses+16:]) != 0 {
		t.Errorf("blob % x", blob)
	}
}

func TestNSPRoutineMustBeComplete(t *testing.T) {
	if CheckNSP(nil) != WSAEINVALIDPROCTABLE || CheckNSP((&NSPRoutine{Size: SizeofNSPRoutine}).Provider()) != WSAEINVALIDPROCTABLE {
		t.Error("a table without functions passes")
	}
	full := NSPRoutine{Size: SizeofNSPRoutine}
	table := reflect.ValueOf(&full).Elem()
	for i := range table.NumField() {
		if f := table.Field(i); f.Kind() == reflect.Func {
			f.Set(reflect.MakeFunc(f.Type(), func([]reflect.Value) (out []reflect.Value) {
				for i := range f.Type().NumOut() {
					out = append(out, reflect.Zero(f.Type().Out(i)))
				}
				return out
			}))
		}
	}
	if e := CheckNSP(full.Provider()); e != 0 {
		t.Errorf("a whole table: %v", e)
	}
	full.LpNSPIoctl = nil
	if CheckNSP(full.Provider()) != WSAEINVALIDPROCTABLE {
		t.Error("NSPIoctl is missing")
	}
	full.Size = sizeofNSPRoutineWithoutCtl
	old := full.Provider()
	if e := CheckNSP(old); e != 0 {
		t.Errorf("an old table: %v", e)
	}
	if e := old.NSPIoctl(0, 0, nil, nil, nil, nil, nil); e != WSAEOPNOTSUPP {
		t.Errorf("NSPIoctl of an old table: %v", e)
	}
}
