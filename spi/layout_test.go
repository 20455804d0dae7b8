package spi

import (
	"reflect"
	"testing"
	"unsafe"
)

type field struct {
	name   string
	offset uintptr
}

// The layouts of 64-bit Windows, measured from the mingw-w64 headers. A blank
// field is padding that C leaves implicit.
func TestLayouts(t *testing.T) {
	for _, want := range []struct {
		of     any
		size   uintptr
		align  int
		fields []field
	}{
		{GUID{}, 16, 4, []field{{"Data1", 0}, {"Data2", 4}, {"Data3", 6}, {"Data4", 8}}},
		{ThreadID{}, 16, 8, []field{{"ThreadHandle", 0}, {"Reserved", 8}}},
		{ProtocolChain{}, 32, 4, []field{{"ChainLen", 0}, {"ChainEntries", 4}}},
		{Overlapped{}, 32, 8, []field{{"Internal", 0}, {"InternalHigh", 8}, {"Offset", 16}, {"OffsetHigh", 20}, {"HEvent", 24}}},
		{Buf{}, 16, 8, []field{{"Len", 0}, {"Buf", 8}}},
		{FDSet{}, 520, 8, []field{{"Count", 0}, {"Array", 8}}},
		{NetworkEvents{}, 44, 4, []field{{"NetworkEvents", 0}, {"ErrorCode", 4}}},
		{Timeval{}, 8, 4, []field{{"Sec", 0}, {"Usec", 4}}},
		{Linger{}, 4, 2, []field{{"OnOff", 0}, {"Linger", 2}}},
		{FlowSpec{}, 32, 4, nil},
		{QOS{}, 80, 8, []field{{"SendingFlowspec", 0}, {"ReceivingFlowspec", 32}, {"ProviderSpecific", 64}}},
		{WSPData{}, 516, 2, []field{{"Version", 0}, {"HighVersion", 2}, {"Description", 4}}},
		{ProtocolInfo{}, 628, 4, []field{
			{"ServiceFlags1", 0}, {"ServiceFlags2", 4}, {"ServiceFlags3", 8}, {"ServiceFlags4", 12},
			{"ProviderFlags", 16}, {"ProviderID", 20}, {"CatalogEntryID", 36}, {"ProtocolChain", 40},
			{"Version", 72}, {"AddressFamily", 76}, {"MaxSockAddr", 80}, {"MinSockAddr", 84},
			{"SocketType", 88}, {"Protocol", 92}, {"ProtocolMaxOffset", 96}, {"NetworkByteOrder", 100},
			{"SecurityScheme", 104}, {"MessageSize", 108}, {"ProviderReserved", 112}, {"ProtocolName", 116},
		}},
		{Msg{}, 56, 8, []field{{"Name", 0}, {"NameLen", 8}, {"Buffers", 16}, {"BufferCount", 24}, {"Control", 32}, {"Flags", 48}}},
		{CmsgHdr{}, 16, 8, []field{{"Len", 0}, {"Level", 8}, {"Type", 12}}},
		{PollFD{}, 16, 8, []field{{"FD", 0}, {"Events", 8}, {"Revents", 10}}},
		{TransmitFileBuffers{}, 32, 8, []field{{"Head", 0}, {"HeadLength", 8}, {"Tail", 16}, {"TailLength", 24}}},
		{SockNotifyRegistration{}, 24, 8, []field{
			{"Socket", 0}, {"CompletionKey", 8}, {"EventFilter", 16}, {"Operation", 18}, {"TriggerFlags", 19}, {"RegistrationResult", 20},
		}},
		{QuerySet{}, 120, 8, []field{
			{"Size", 0}, {"ServiceInstanceName", 8}, {"ServiceClassID", 16}, {"Version", 24}, {"Comment", 32},
			{"NameSpace", 40}, {"NSProviderID", 48}, {"Context", 56}, {"NumberOfProtocols", 64}, {"Protocols", 72},
			{"QueryString", 80}, {"NumberOfCsAddrs", 88}, {"CsaBuffer", 96}, {"OutputFlags", 104}, {"Blob", 112},
		}},
		{QuerySet2{}, 112, 8, []field{
			{"Size", 0}, {"ServiceInstanceName", 8}, {"Version", 16}, {"Comment", 24}, {"NameSpace", 32}, {"NSProviderID", 40},
			{"Context", 48}, {"NumberOfProtocols", 56}, {"Protocols", 64}, {"QueryString", 72}, {"NumberOfCsAddrs", 80},
			{"CsaBuffer", 88}, {"OutputFlags", 96}, {"Blob", 104},
		}},
		{ServiceVersion{}, 8, 4, []field{{"Version", 0}, {"How", 4}}},
		{AFProtocol{}, 8, 4, []field{{"AddressFamily", 0}, {"Protocol", 4}}},
		{SocketAddress{}, 16, 8, []field{{"Sockaddr", 0}, {"Length", 8}}},
		{CSAddrInfo{}, 40, 8, []field{{"LocalAddr", 0}, {"RemoteAddr", 16}, {"SocketType", 32}, {"Protocol", 36}}},
		{Blob{}, 16, 8, []field{{"Size", 0}, {"Data", 8}}},
		{ServiceClassInfo{}, 32, 8, []field{{"ServiceClassID", 0}, {"ServiceClassName", 8}, {"Count", 16}, {"ClassInfos", 24}}},
		{NSClassInfo{}, 32, 8, []field{{"Name", 0}, {"NameSpace", 8}, {"ValueType", 12}, {"ValueSize", 16}, {"Value", 24}}},
		{NamespaceInfo{}, 40, 8, []field{{"NSProviderID", 0}, {"NameSpace", 16}, {"Active", 20}, {"Version", 24}, {"Identifier", 32}}},
		{NamespaceInfoEx{}, 56, 8, []field{{"ProviderSpecific", 40}}},
		{AddrInfo{}, 48, 8, []field{
			{"Flags", 0}, {"Family", 4}, {"SockType", 8}, {"Protocol", 12}, {"AddrLen", 16}, {"CanonName", 24}, {"Addr", 32}, {"Next", 40},
		}},
		{AddrInfoEx{}, 72, 8, []field{
			{"CanonName", 24}, {"Addr", 32}, {"Blob", 40}, {"BlobLen", 48}, {"Provider", 56}, {"Next", 64},
		}},
		{Hostent{}, 32, 8, []field{{"Name", 0}, {"Aliases", 8}, {"AddrType", 16}, {"Length", 18}, {"AddrList", 24}}},
		{Servent{}, 32, 8, []field{{"Name", 0}, {"Aliases", 8}, {"Proto", 16}, {"Port", 24}}},
		{Protoent{}, 24, 8, []field{{"Name", 0}, {"Aliases", 8}, {"Proto", 16}}},
		{NSPRoutine{}, 88, 8, []field{
			{"Size", 0}, {"MajorVersion", 4}, {"MinorVersion", 8}, {"LpNSPCleanup", 16}, {"LpNSPLookupServiceBegin", 24},
			{"LpNSPLookupServiceNext", 32}, {"LpNSPLookupServiceEnd", 40}, {"LpNSPSetService", 48},
			{"LpNSPInstallServiceClass", 56}, {"LpNSPRemoveServiceClass", 64}, {"LpNSPGetServiceClassInfo", 72}, {"LpNSPIoctl", 80},
		}},
		{NSPv2Routine{}, 72, 8, []field{
			{"Size", 0}, {"MajorVersion", 4}, {"MinorVersion", 8}, {"LpNSPv2Startup", 16}, {"LpNSPv2Cleanup", 24},
			{"LpNSPv2LookupServiceBegin", 32}, {"LpNSPv2LookupServiceNextEx", 40}, {"LpNSPv2LookupServiceEnd", 48},
			{"LpNSPv2SetServiceEx", 56}, {"LpNSPv2ClientSessionRundown", 64},
		}},
		{UpcallTable{}, 120, 8, upcallFields()},
		{ProcTable{}, 240, 8, procFields()},
	} {
		typ := reflect.TypeOf(want.of)
		if typ.Size() != want.size || typ.Align() != want.align {
			t.Errorf("%s: size %d align %d, want %d and %d", typ.Name(), typ.Size(), typ.Align(), want.size, want.align)
		}
		for _, f := range want.fields {
			got, ok := typ.FieldByName(f.name)
			if !ok || got.Offset != f.offset {
				t.Errorf("%s.%s: offset %d (present: %v), want %d", typ.Name(), f.name, got.Offset, ok, f.offset)
			}
		}
	}
}

func upcallFields() (fields []field) {
	return inOrder([]string{
		"WPUCloseEvent", "WPUCloseSocketHandle", "WPUCreateEvent", "WPUCreateSocketHandle", "WPUFDIsSet",
		"WPUGetProviderPath", "WPUModifyIFSHandle", "WPUPostMessage", "WPUQueryBlockingCallback",
		"WPUQuerySocketHandleContext", "WPUQueueApc", "WPUResetEvent", "WPUSetEvent", "WPUOpenCurrentThread",
		"WPUCloseThread",
	})
}

func procFields() (fields []field) {
	return inOrder([]string{
		"LpWSPAccept", "LpWSPAddressToString", "LpWSPAsyncSelect", "LpWSPBind", "LpWSPCancelBlockingCall",
		"LpWSPCleanup", "LpWSPCloseSocket", "LpWSPConnect", "LpWSPDuplicateSocket", "LpWSPEnumNetworkEvents",
		"LpWSPEventSelect", "LpWSPGetOverlappedResult", "LpWSPGetPeerName", "LpWSPGetSockName", "LpWSPGetSockOpt",
		"LpWSPGetQOSByName", "LpWSPIoctl", "LpWSPJoinLeaf", "LpWSPListen", "LpWSPRecv", "LpWSPRecvDisconnect",
		"LpWSPRecvFrom", "LpWSPSelect", "LpWSPSend", "LpWSPSendDisconnect", "LpWSPSendTo", "LpWSPSetSockOpt",
		"LpWSPShutdown", "LpWSPSocket", "LpWSPStringToAddress",
	})
}

func inOrder(names []string) (fields []field) {
	for i, name := range names {
		fields = append(fields, field{name, uintptr(i) * unsafe.Sizeof(uintptr(0))})
	}
	return fields
}

func TestFDSetLargerThanFDSetSize(t *testing.T) {
	var members []Socket
	for i := range 100 {
		members = append(members, Socket(1000+i))
	}
	set := NewFDSet(members...)
	if len(set.Sockets()) != 100 || !set.IsSet(1099) || set.IsSet(1100) {
		t.Fatalf("a set of 100 holds %d; has 1099: %v, has 1100: %v", len(set.Sockets()), set.IsSet(1099), set.IsSet(1100))
	}
	if n := set.Keep(func(s Socket) bool { return s%2 == 0 }); n != 50 || set.IsSet(1001) || !set.IsSet(1098) {
		t.Fatalf("Keep left %d; has 1001: %v, has 1098: %v", n, set.IsSet(1001), set.IsSet(1098))
	}
}

func TestOverlappedCompleteNeverLooksPending(t *testing.T) {
	var ov Overlapped
	ov.Start()
	if !ov.InProgress() {
		t.Fatal("a started operation is not in progress")
	}
	ov.Complete(OperationInProgress, 7)
	if ov.InProgress() || ov.InternalHigh != 7 {
		t.Fatalf("completed: in progress %v, bytes %d", ov.InProgress(), ov.InternalHigh)
	}
}
