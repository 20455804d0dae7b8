package winsock

import "C"

import (
	"unsafe"

	"upcall.dev/capi/process"
	"upcall.dev/spi"
)

// packer is a structure of the database functions, to be laid out in memory.
type packer interface {
	Pack(memory []byte) (needed int, e spi.Errno)
}

// forThread lays p out in memory that the C half keeps for the calling thread.
func forThread(p packer) (memory uintptr, e int32) {
	needed, _ := p.Pack(nil)
	m := allocate(needed)
	if m == nil {
		return 0, int32(spi.WSA_NOT_ENOUGH_MEMORY)
	}
	if _, e := p.Pack(unsafe.Slice((*byte)(m), needed)); e != 0 {
		free(m)
		return 0, int32(e)
	}
	return uintptr(m), 0
}

//export goGetHostByName
func goGetHostByName(t, name unsafe.Pointer) (memory uintptr, e int32) {
	ent, err := process.Thread(t).GetHostByName(textOr(name, false, ""))
	if err != nil {
		return 0, code(err)
	}
	h := ent.Host()
	return forThread(&h)
}

//export goGetHostByAddr
func goGetHostByAddr(t, addr unsafe.Pointer, length, family int32) (uintptr, int32) {
	ent, err := process.Thread(t).GetHostByAddr(memory(addr, length), family)
	if err != nil {
		return 0, code(err)
	}
	h := ent.Host()
	return forThread(&h)
}

//export goGetServByName
func goGetServByName(t, name, protocol unsafe.Pointer) (memory uintptr, e int32) {
	ent, err := process.Thread(t).GetServByName(textOr(name, false, ""), textOr(protocol, false, ""))
	if err != nil {
		return 0, code(err)
	}
	s := ent.Service()
	return forThread(&s)
}

//export goGetServByPort
func goGetServByPort(t unsafe.Pointer, port int32, protocol unsafe.Pointer) (memory uintptr, e int32) {
	ent, err := process.Thread(t).GetServByPort(uint16(port), textOr(protocol, false, ""))
	if err != nil {
		return 0, code(err)
	}
	s := ent.Service()
	return forThread(&s)
}

//export goGetProtoByName
func goGetProtoByName(t, name unsafe.Pointer) (memory uintptr, e int32) {
	ent, err := process.Thread(t).GetProtoByName(textOr(name, false, ""))
	if err != nil {
		return 0, code(err)
	}
	p := ent.Protocol()
	return forThread(&p)
}

//export goGetProtoByNumber
func goGetProtoByNumber(t unsafe.Pointer, number int32) (memory uintptr, e int32) {
	ent, err := process.Thread(t).GetProtoByNumber(number)
	if err != nil {
		return 0, code(err)
	}
	p := ent.Protocol()
	return forThread(&p)
}

//export goGetHostName
func goGetHostName(t, name unsafe.Pointer, length int32, wide bool) int32 {
	to := room(name, length, wide)
	if !wide {
		return code(process.Thread(t).GetHostName(to))
	}
	text := make([]byte, longestName)
	if err := process.Thread(t).GetHostName(text); err != nil {
		return code(err)
	}
	units := encoded(C.GoString((*C.char)(unsafe.Pointer(&text[0]))), true)
	if len(units) > len(to) {
		return int32(spi.WSAEFAULT)
	}
	copy(to, units)
	return 0
}
