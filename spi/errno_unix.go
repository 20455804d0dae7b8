//go:build unix

package spi

import "syscall"

// toSystem maps a code to the errno that means the same. Where several codes
// share an errno, fromSystem names the one that the errno stands for.
var toSystem = map[Errno]syscall.Errno{
	WSA_INVALID_HANDLE:    syscall.EBADF,
	WSA_NOT_ENOUGH_MEMORY: syscall.ENOMEM,
	WSA_INVALID_PARAMETER: syscall.EINVAL,
	WSA_OPERATION_ABORTED: syscall.ECANCELED,
	WSA_IO_PENDING:        syscall.EINPROGRESS,
	WSAEINTR:              syscall.EINTR,
	WSAEBADF:              syscall.EBADF,
	WSAEACCES:             syscall.EACCES,
	WSAEFAULT:             syscall.EFAULT,
	WSAEINVAL:             syscall.EINVAL,
	WSAEMFILE:             syscall.EMFILE,
	WSAEWOULDBLOCK:        syscall.EAGAIN,
	WSAEINPROGRESS:        syscall.EBUSY,
	WSAEALREADY:           syscall.EALREADY,
	WSAENOTSOCK:           syscall.ENOTSOCK,
	WSAEDESTADDRREQ:       syscall.EDESTADDRREQ,
	WSAEMSGSIZE:           syscall.EMSGSIZE,
	WSAEPROTOTYPE:         syscall.EPROTOTYPE,
	WSAENOPROTOOPT:        syscall.ENOPROTOOPT,
	WSAEPROTONOSUPPORT:    syscall.EPROTONOSUPPORT,
	WSAESOCKTNOSUPPORT:    syscall.ESOCKTNOSUPPORT,
	WSAEOPNOTSUPP:         syscall.EOPNOTSUPP,
	WSAEPFNOSUPPORT:       syscall.EPFNOSUPPORT,
	WSAEAFNOSUPPORT:       syscall.EAFNOSUPPORT,
	WSAEADDRINUSE:         syscall.EADDRINUSE,
	WSAEADDRNOTAVAIL:      syscall.EADDRNOTAVAIL,
	WSAENETDOWN:           syscall.ENETDOWN,
	WSAENETUNREACH:        syscall.ENETUNREACH,
	WSAENETRESET:          syscall.ENETRESET,
	WSAECONNABORTED:       syscall.ECONNABORTED,
	WSAECONNRESET:         syscall.ECONNRESET,
	WSAENOBUFS:            syscall.ENOBUFS,
	WSAEISCONN:            syscall.EISCONN,
	WSAENOTCONN:           syscall.ENOTCONN,
	WSAESHUTDOWN:          syscall.EPIPE,
	WSAETOOMANYREFS:       syscall.ETOOMANYREFS,
	WSAETIMEDOUT:          syscall.ETIMEDOUT,
	WSAECONNREFUSED:       syscall.ECONNREFUSED,
	WSAELOOP:              syscall.ELOOP,
	WSAENAMETOOLONG:       syscall.ENAMETOOLONG,
	WSAEHOSTDOWN:          syscall.EHOSTDOWN,
	WSAEHOSTUNREACH:       syscall.EHOSTUNREACH,
	WSAENOTEMPTY:          syscall.ENOTEMPTY,
	WSAEUSERS:             syscall.EUSERS,
	WSAEDQUOT:             syscall.EDQUOT,
	WSAESTALE:             syscall.ESTALE,
	WSAEREMOTE:            syscall.EREMOTE,
	WSAECANCELLED:         syscall.ECANCELED,
	WSA_E_CANCELLED:       syscall.ECANCELED,
	WSASYSCALLFAILURE:     syscall.EIO,
}

var fromSystem = func() map[syscall.Errno]Errno {
	m := make(map[syscall.Errno]Errno, len(toSystem))
	for code, errno := range toSystem {
		m[errno] = code
	}
	for errno, code := range map[syscall.Errno]Errno{
		syscall.EBADF:       WSAENOTSOCK,
		syscall.ECANCELED:   WSA_OPERATION_ABORTED,
		syscall.EINVAL:      WSAEINVAL,
		syscall.EINPROGRESS: WSAEWOULDBLOCK, // a connect that was started
		syscall.EAGAIN:      WSAEWOULDBLOCK,
		syscall.EPERM:       WSAEACCES,
		syscall.ENFILE:      WSAEMFILE,
		syscall.ENOMEM:      WSAENOBUFS,
		syscall.EPROTO:      WSAECONNABORTED,
		syscall.ENOENT:      WSAECONNREFUSED, // an AF_UNIX path where nobody listens
		syscall.ENODEV:      WSAENETDOWN,
		syscall.ENOSYS:      WSAEOPNOTSUPP,
	} {
		m[errno] = code
	}
	return m
}()

// FromErrno returns the code for a system error number: zero for zero, and
// WSASYSCALLFAILURE for one that no socket call is known to give.
func FromErrno(errno syscall.Errno) Errno {
	if errno == 0 {
		return 0
	}
	if e, ok := fromSystem[errno]; ok {
		return e
	}
	return WSASYSCALLFAILURE
}

// Errno returns the system error number that means the same, or EIO for a code
// that has none.
func (e Errno) Errno() syscall.Errno {
	if e == 0 {
		return 0
	}
	if errno, ok := toSystem[e]; ok {
		return errno
	}
	return syscall.EIO
}

// means reports whether errno stands for the same error.
func (e Errno) means(errno syscall.Errno) bool {
	own, known := toSystem[e]
	return known && (own == errno || fromSystem[errno] == e)
}
