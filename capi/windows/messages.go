package windows

import "C"

import (
	"strings"
	"unicode"
	"unicode/utf8"
	"unsafe"

	"upcall.dev/spi"
)

// messages is the texts of the system's codes that are not Winsock's.
var messages = map[uint32]string{
	0:    "the operation completed successfully",
	1:    "the function is not valid",
	2:    "there is no such file",
	3:    "there is no such path",
	4:    "too many files are open",
	5:    "access is denied",
	11:   "the format is not valid",
	12:   "the access code is not valid",
	13:   "the data is not valid",
	14:   "not enough memory",
	18:   "there are no more files",
	21:   "the device is not ready",
	24:   "the length is not valid",
	29:   "the device cannot be written to",
	30:   "the device cannot be read from",
	31:   "the thing has ended, or does not work",
	32:   "the file is in use",
	50:   "this is not supported here",
	52:   "the name is in use",
	55:   "the device does not exist any more",
	64:   "the connection was closed",
	80:   "the file exists",
	109:  "the pipe has ended",
	111:  "the name is too long",
	112:  "there is no more room on the disk",
	120:  "the function is not there",
	121:  "the time has passed",
	122:  "the buffer is too small",
	123:  "the name is not valid",
	126:  "there is no such module",
	127:  "there is no such procedure",
	158:  "it was not locked",
	160:  "the arguments are not valid",
	164:  "no more threads can be created",
	170:  "it is in use",
	183:  "it exists",
	193:  "this is not a program or library of this system",
	203:  "there is no such environment variable",
	206:  "the name is too long",
	230:  "the state of the pipe is not valid",
	231:  "the pipe is in use",
	232:  "the pipe is being closed",
	233:  "nobody is at the other end of the pipe",
	234:  "there is more data",
	259:  "there is no more data",
	288:  "the caller is not the owner",
	317:  "there is no text for that message number",
	487:  "the address is not valid",
	998:  "the memory cannot be accessed",
	1004: "the flags are not valid",
	1113: "there is no such character in the other code page",
	1114: "the library could not be initialised",
	1131: "that could be a deadlock",
	1223: "the user has cancelled the operation",
	1225: "the other side has refused the connection",
	1231: "the network cannot be reached",
	1232: "the host cannot be reached",
	1234: "nobody listens at that port",
	1236: "the connection was aborted",
	1314: "the caller does not have that privilege",
	1400: "there is no such window",
	1407: "there is no such window class",
	1408: "the window is another thread's",
	1410: "the window class exists",
	1411: "the window class does not exist",
	1412: "the window class has windows",
	1444: "there is no such thread",
	1450: "not enough resources",
	1460: "the time has passed",
	1816: "the quota is not enough",
	5023: "the state is not the right one for this",
}

// goMessage stores the text of a code, with a capital letter and no full stop,
// and returns its length, 0 if there is none.
//
//export goMessage
func goMessage(number uint32, to unsafe.Pointer, room int32) int32 {
	text := messages[number]
	if text == "" {
		e := spi.Errno(number)
		full := e.Error()
		end := strings.LastIndex(full, " ("+e.Name())
		if end < 0 {
			return 0
		}
		text = full[:end]
	}
	first, size := utf8.DecodeRuneInString(text)
	text = string(unicode.ToUpper(first)) + text[size:]
	return int32(copy(unsafe.Slice((*byte)(to), int(room)), text))
}
