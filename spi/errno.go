package spi

import (
	"io/fs"
	"os"
	"strconv"
	"syscall"
)

// Errno is a WSA error code. Zero is success and never an error value: hand an
// Errno to code that wants an error through [Errno.Err].
//
// errors.Is matches an Errno with its syscall.Errno counterpart and with the
// os errors that stand for it, so errors.Is(err, syscall.ECONNREFUSED) and
// errors.Is(err, os.ErrDeadlineExceeded) hold.
//
// Source: https://learn.microsoft.com/windows/win32/winsock/windows-sockets-error-codes-2
type Errno int32

// NoErrorCode is a failure whose provider wrote no code: SOCKET_ERROR with
// *lpErrno unset. The host reports it as WSASYSCALLFAILURE.
const NoErrorCode Errno = -1

// The closed set of codes. WSA_ codes below 10000 are Win32 codes.
const (
	WSA_INVALID_HANDLE         Errno = 6
	WSA_NOT_ENOUGH_MEMORY      Errno = 8
	ERROR_GEN_FAILURE          Errno = 31
	ERROR_HANDLE_EOF           Errno = 38
	WSA_INVALID_PARAMETER      Errno = 87
	WAIT_IO_COMPLETION         Errno = 192
	WAIT_TIMEOUT               Errno = 258
	ERROR_TOO_MANY_POSTS       Errno = 298
	ERROR_ABANDONED_WAIT_0     Errno = 735
	WSA_OPERATION_ABORTED      Errno = 995
	WSA_IO_INCOMPLETE          Errno = 996
	WSA_IO_PENDING             Errno = 997
	ERROR_NOT_FOUND            Errno = 1168
	WSAEINTR                   Errno = 10004
	WSAEBADF                   Errno = 10009
	WSAEACCES                  Errno = 10013
	WSAEFAULT                  Errno = 10014
	WSAEINVAL                  Errno = 10022
	WSAEMFILE                  Errno = 10024
	WSAEWOULDBLOCK             Errno = 10035
	WSAEINPROGRESS             Errno = 10036
	WSAEALREADY                Errno = 10037
	WSAENOTSOCK                Errno = 10038
	WSAEDESTADDRREQ            Errno = 10039
	WSAEMSGSIZE                Errno = 10040
	WSAEPROTOTYPE              Errno = 10041
	WSAENOPROTOOPT             Errno = 10042
	WSAEPROTONOSUPPORT         Errno = 10043
	WSAESOCKTNOSUPPORT         Errno = 10044
	WSAEOPNOTSUPP              Errno = 10045
	WSAEPFNOSUPPORT            Errno = 10046
	WSAEAFNOSUPPORT            Errno = 10047
	WSAEADDRINUSE              Errno = 10048
	WSAEADDRNOTAVAIL           Errno = 10049
	WSAENETDOWN                Errno = 10050
	WSAENETUNREACH             Errno = 10051
	WSAENETRESET               Errno = 10052
	WSAECONNABORTED            Errno = 10053
	WSAECONNRESET              Errno = 10054
	WSAENOBUFS                 Errno = 10055
	WSAEISCONN                 Errno = 10056
	WSAENOTCONN                Errno = 10057
	WSAESHUTDOWN               Errno = 10058
	WSAETOOMANYREFS            Errno = 10059
	WSAETIMEDOUT               Errno = 10060
	WSAECONNREFUSED            Errno = 10061
	WSAELOOP                   Errno = 10062
	WSAENAMETOOLONG            Errno = 10063
	WSAEHOSTDOWN               Errno = 10064
	WSAEHOSTUNREACH            Errno = 10065
	WSAENOTEMPTY               Errno = 10066
	WSAEPROCLIM                Errno = 10067
	WSAEUSERS                  Errno = 10068
	WSAEDQUOT                  Errno = 10069
	WSAESTALE                  Errno = 10070
	WSAEREMOTE                 Errno = 10071
	WSASYSNOTREADY             Errno = 10091
	WSAVERNOTSUPPORTED         Errno = 10092
	WSANOTINITIALISED          Errno = 10093
	WSAEDISCON                 Errno = 10101
	WSAENOMORE                 Errno = 10102
	WSAECANCELLED              Errno = 10103
	WSAEINVALIDPROCTABLE       Errno = 10104
	WSAEINVALIDPROVIDER        Errno = 10105
	WSAEPROVIDERFAILEDINIT     Errno = 10106
	WSASYSCALLFAILURE          Errno = 10107
	WSASERVICE_NOT_FOUND       Errno = 10108
	WSATYPE_NOT_FOUND          Errno = 10109
	WSA_E_NO_MORE              Errno = 10110
	WSA_E_CANCELLED            Errno = 10111
	WSAEREFUSED                Errno = 10112
	WSAHOST_NOT_FOUND          Errno = 11001
	WSATRY_AGAIN               Errno = 11002
	WSANO_RECOVERY             Errno = 11003
	WSANO_DATA                 Errno = 11004
	WSA_QOS_RECEIVERS          Errno = 11005
	WSA_QOS_SENDERS            Errno = 11006
	WSA_QOS_NO_SENDERS         Errno = 11007
	WSA_QOS_NO_RECEIVERS       Errno = 11008
	WSA_QOS_REQUEST_CONFIRMED  Errno = 11009
	WSA_QOS_ADMISSION_FAILURE  Errno = 11010
	WSA_QOS_POLICY_FAILURE     Errno = 11011
	WSA_QOS_BAD_STYLE          Errno = 11012
	WSA_QOS_BAD_OBJECT         Errno = 11013
	WSA_QOS_TRAFFIC_CTRL_ERROR Errno = 11014
	WSA_QOS_GENERIC_ERROR      Errno = 11015
	WSA_QOS_ESERVICETYPE       Errno = 11016
	WSA_QOS_EFLOWSPEC          Errno = 11017
	WSA_QOS_EPROVSPECBUF       Errno = 11018
	WSA_QOS_EFILTERSTYLE       Errno = 11019
	WSA_QOS_EFILTERTYPE        Errno = 11020
	WSA_QOS_EFILTERCOUNT       Errno = 11021
	WSA_QOS_EOBJLENGTH         Errno = 11022
	WSA_QOS_EFLOWCOUNT         Errno = 11023
	WSA_QOS_EUNKNOWNPSOBJ      Errno = 11024
	WSA_QOS_EPOLICYOBJ         Errno = 11025
	WSA_QOS_EFLOWDESC          Errno = 11026
	WSA_QOS_EPSFLOWSPEC        Errno = 11027
	WSA_QOS_EPSFILTERSPEC      Errno = 11028
	WSA_QOS_ESDMODEOBJ         Errno = 11029
	WSA_QOS_ESHAPERATEOBJ      Errno = 11030
	WSA_QOS_RESERVED_PETYPE    Errno = 11031

	// ERROR_CALL_NOT_IMPLEMENTED is the Win32 code that WSCGetProviderInfo
	// gives for ProviderInfoAudit.
	ERROR_CALL_NOT_IMPLEMENTED Errno = 120
)

var errnoTable = map[Errno]errnoText{
	NoErrorCode:                {"NoErrorCode", "the provider failed without an error code"},
	ERROR_CALL_NOT_IMPLEMENTED: {"ERROR_CALL_NOT_IMPLEMENTED", "the call is not implemented"},
	WSA_INVALID_HANDLE:         {"WSA_INVALID_HANDLE", "the handle is not valid"},
	WSA_NOT_ENOUGH_MEMORY:      {"WSA_NOT_ENOUGH_MEMORY", "not enough memory"},
	ERROR_GEN_FAILURE:          {"ERROR_GEN_FAILURE", "the thread has ended"},
	ERROR_HANDLE_EOF:           {"ERROR_HANDLE_EOF", "the file ends before what is to be sent of it"},
	WSA_INVALID_PARAMETER:      {"WSA_INVALID_PARAMETER", "a parameter is not valid"},
	WAIT_IO_COMPLETION:         {"WAIT_IO_COMPLETION", "asynchronous procedure calls ran"},
	WAIT_TIMEOUT:               {"WAIT_TIMEOUT", "the time for the wait has passed"},
	ERROR_TOO_MANY_POSTS:       {"ERROR_TOO_MANY_POSTS", "the semaphore's count would be above its maximum"},
	ERROR_ABANDONED_WAIT_0:     {"ERROR_ABANDONED_WAIT_0", "the completion port was closed"},
	WSA_OPERATION_ABORTED:      {"WSA_OPERATION_ABORTED", "the overlapped operation was aborted"},
	WSA_IO_INCOMPLETE:          {"WSA_IO_INCOMPLETE", "the overlapped operation has not completed yet"},
	WSA_IO_PENDING:             {"WSA_IO_PENDING", "the overlapped operation will complete later"},
	ERROR_NOT_FOUND:            {"ERROR_NOT_FOUND", "no operation to cancel was found"},
	WSAEINTR:                   {"WSAEINTR", "the blocking call was interrupted"},
	WSAEBADF:                   {"WSAEBADF", "the descriptor is not valid"},
	WSAEACCES:                  {"WSAEACCES", "permission denied"},
	WSAEFAULT:                  {"WSAEFAULT", "bad address, or a buffer that is too small"},
	WSAEINVAL:                  {"WSAEINVAL", "invalid argument"},
	WSAEMFILE:                  {"WSAEMFILE", "too many open sockets"},
	WSAEWOULDBLOCK:             {"WSAEWOULDBLOCK", "the operation would block"},
	WSAEINPROGRESS:             {"WSAEINPROGRESS", "a blocking call is in progress"},
	WSAEALREADY:                {"WSAEALREADY", "the operation is already in progress"},
	WSAENOTSOCK:                {"WSAENOTSOCK", "not a socket"},
	WSAEDESTADDRREQ:            {"WSAEDESTADDRREQ", "a destination address is required"},
	WSAEMSGSIZE:                {"WSAEMSGSIZE", "message too long"},
	WSAEPROTOTYPE:              {"WSAEPROTOTYPE", "wrong protocol for this type of socket"},
	WSAENOPROTOOPT:             {"WSAENOPROTOOPT", "unknown or unsupported option"},
	WSAEPROTONOSUPPORT:         {"WSAEPROTONOSUPPORT", "protocol not supported"},
	WSAESOCKTNOSUPPORT:         {"WSAESOCKTNOSUPPORT", "socket type not supported"},
	WSAEOPNOTSUPP:              {"WSAEOPNOTSUPP", "operation not supported"},
	WSAEPFNOSUPPORT:            {"WSAEPFNOSUPPORT", "protocol family not supported"},
	WSAEAFNOSUPPORT:            {"WSAEAFNOSUPPORT", "address family not supported"},
	WSAEADDRINUSE:              {"WSAEADDRINUSE", "address already in use"},
	WSAEADDRNOTAVAIL:           {"WSAEADDRNOTAVAIL", "cannot assign the requested address"},
	WSAENETDOWN:                {"WSAENETDOWN", "network is down"},
	WSAENETUNREACH:             {"WSAENETUNREACH", "network is unreachable"},
	WSAENETRESET:               {"WSAENETRESET", "connection dropped by the network"},
	WSAECONNABORTED:            {"WSAECONNABORTED", "connection aborted by this side"},
	WSAECONNRESET:              {"WSAECONNRESET", "connection reset by the peer"},
	WSAENOBUFS:                 {"WSAENOBUFS", "no buffer space, or too many handles"},
	WSAEISCONN:                 {"WSAEISCONN", "the socket is already connected"},
	WSAENOTCONN:                {"WSAENOTCONN", "the socket is not connected"},
	WSAESHUTDOWN:               {"WSAESHUTDOWN", "the socket was shut down for this"},
	WSAETOOMANYREFS:            {"WSAETOOMANYREFS", "too many references"},
	WSAETIMEDOUT:               {"WSAETIMEDOUT", "timed out"},
	WSAECONNREFUSED:            {"WSAECONNREFUSED", "connection refused"},
	WSAELOOP:                   {"WSAELOOP", "too many levels of names"},
	WSAENAMETOOLONG:            {"WSAENAMETOOLONG", "name too long"},
	WSAEHOSTDOWN:               {"WSAEHOSTDOWN", "host is down"},
	WSAEHOSTUNREACH:            {"WSAEHOSTUNREACH", "no route to host"},
	WSAENOTEMPTY:               {"WSAENOTEMPTY", "directory not empty"},
	WSAEPROCLIM:                {"WSAEPROCLIM", "too many processes use Windows Sockets"},
	WSAEUSERS:                  {"WSAEUSERS", "user quota exceeded"},
	WSAEDQUOT:                  {"WSAEDQUOT", "disk quota exceeded"},
	WSAESTALE:                  {"WSAESTALE", "stale file handle"},
	WSAEREMOTE:                 {"WSAEREMOTE", "the item is remote"},
	WSASYSNOTREADY:             {"WSASYSNOTREADY", "the network subsystem is not ready"},
	WSAVERNOTSUPPORTED:         {"WSAVERNOTSUPPORTED", "this version of Windows Sockets is not supported"},
	WSANOTINITIALISED:          {"WSANOTINITIALISED", "WSAStartup has not been called"},
	WSAEDISCON:                 {"WSAEDISCON", "graceful shutdown in progress"},
	WSAENOMORE:                 {"WSAENOMORE", "no more results"},
	WSAECANCELLED:              {"WSAECANCELLED", "the lookup was cancelled"},
	WSAEINVALIDPROCTABLE:       {"WSAEINVALIDPROCTABLE", "the provider's procedure table is incomplete"},
	WSAEINVALIDPROVIDER:        {"WSAEINVALIDPROVIDER", "the provider has the wrong version or does not exist"},
	WSAEPROVIDERFAILEDINIT:     {"WSAEPROVIDERFAILEDINIT", "the provider could not be loaded or started"},
	WSASYSCALLFAILURE:          {"WSASYSCALLFAILURE", "a call that should not fail failed"},
	WSASERVICE_NOT_FOUND:       {"WSASERVICE_NOT_FOUND", "no such service"},
	WSATYPE_NOT_FOUND:          {"WSATYPE_NOT_FOUND", "no such service class"},
	WSA_E_NO_MORE:              {"WSA_E_NO_MORE", "no more lookup results"},
	WSA_E_CANCELLED:            {"WSA_E_CANCELLED", "the lookup call was cancelled"},
	WSAEREFUSED:                {"WSAEREFUSED", "the query was refused"},
	WSAHOST_NOT_FOUND:          {"WSAHOST_NOT_FOUND", "host not found"},
	WSATRY_AGAIN:               {"WSATRY_AGAIN", "temporary failure, try again"},
	WSANO_RECOVERY:             {"WSANO_RECOVERY", "an error that cannot be recovered from"},
	WSANO_DATA:                 {"WSANO_DATA", "the name has no data of this type"},
	WSA_QOS_RECEIVERS:          {"WSA_QOS_RECEIVERS", "at least one reserve has arrived"},
	WSA_QOS_SENDERS:            {"WSA_QOS_SENDERS", "at least one path has arrived"},
	WSA_QOS_NO_SENDERS:         {"WSA_QOS_NO_SENDERS", "there are no senders"},
	WSA_QOS_NO_RECEIVERS:       {"WSA_QOS_NO_RECEIVERS", "there are no receivers"},
	WSA_QOS_REQUEST_CONFIRMED:  {"WSA_QOS_REQUEST_CONFIRMED", "the reserve was confirmed"},
	WSA_QOS_ADMISSION_FAILURE:  {"WSA_QOS_ADMISSION_FAILURE", "not enough resources for the reserve"},
	WSA_QOS_POLICY_FAILURE:     {"WSA_QOS_POLICY_FAILURE", "rejected by policy"},
	WSA_QOS_BAD_STYLE:          {"WSA_QOS_BAD_STYLE", "unknown or conflicting style"},
	WSA_QOS_BAD_OBJECT:         {"WSA_QOS_BAD_OBJECT", "a bad filter or flow specification"},
	WSA_QOS_TRAFFIC_CTRL_ERROR: {"WSA_QOS_TRAFFIC_CTRL_ERROR", "a traffic control error"},
	WSA_QOS_GENERIC_ERROR:      {"WSA_QOS_GENERIC_ERROR", "a general QOS error"},
	WSA_QOS_ESERVICETYPE:       {"WSA_QOS_ESERVICETYPE", "bad service type in the flow specification"},
	WSA_QOS_EFLOWSPEC:          {"WSA_QOS_EFLOWSPEC", "bad flow specification"},
	WSA_QOS_EPROVSPECBUF:       {"WSA_QOS_EPROVSPECBUF", "bad provider-specific buffer"},
	WSA_QOS_EFILTERSTYLE:       {"WSA_QOS_EFILTERSTYLE", "bad filter style"},
	WSA_QOS_EFILTERTYPE:        {"WSA_QOS_EFILTERTYPE", "bad filter type"},
	WSA_QOS_EFILTERCOUNT:       {"WSA_QOS_EFILTERCOUNT", "wrong number of filters"},
	WSA_QOS_EOBJLENGTH:         {"WSA_QOS_EOBJLENGTH", "bad object length"},
	WSA_QOS_EFLOWCOUNT:         {"WSA_QOS_EFLOWCOUNT", "wrong number of flow descriptors"},
	WSA_QOS_EUNKNOWNPSOBJ:      {"WSA_QOS_EUNKNOWNPSOBJ", "unknown provider-specific object"},
	WSA_QOS_EPOLICYOBJ:         {"WSA_QOS_EPOLICYOBJ", "bad policy object"},
	WSA_QOS_EFLOWDESC:          {"WSA_QOS_EFLOWDESC", "bad flow descriptor"},
	WSA_QOS_EPSFLOWSPEC:        {"WSA_QOS_EPSFLOWSPEC", "bad provider-specific flow specification"},
	WSA_QOS_EPSFILTERSPEC:      {"WSA_QOS_EPSFILTERSPEC", "bad provider-specific filter"},
	WSA_QOS_ESDMODEOBJ:         {"WSA_QOS_ESDMODEOBJ", "bad shape discard mode object"},
	WSA_QOS_ESHAPERATEOBJ:      {"WSA_QOS_ESHAPERATEOBJ", "bad shaping rate object"},
	WSA_QOS_RESERVED_PETYPE:    {"WSA_QOS_RESERVED_PETYPE", "reserved policy element type"},
}

type errnoText struct{ name, text string }

// boxed holds every code of the set as an error, so that Err does not allocate.
var boxed = func() map[Errno]error {
	m := make(map[Errno]error, len(errnoTable))
	for e := range errnoTable {
		m[e] = e
	}
	return m
}()

// Err returns nil for zero and e for anything else.
func (e Errno) Err() error {
	switch e {
	case 0:
		return nil
	case WSAEWOULDBLOCK:
		return errWouldBlock
	case WSA_IO_PENDING:
		return errIOPending
	}
	if err, ok := boxed[e]; ok {
		return err
	}
	return e
}

var (
	errWouldBlock error = WSAEWOULDBLOCK
	errIOPending  error = WSA_IO_PENDING
)

// Name returns the code's name, such as "WSAECONNREFUSED", or its number when
// it is not of the set.
func (e Errno) Name() string {
	if t, ok := errnoTable[e]; ok {
		return t.name
	}
	if e == 0 {
		return "0"
	}
	return "WSA error " + strconv.Itoa(int(e))
}

// Error returns the text, name and number.
func (e Errno) Error() string {
	t, ok := errnoTable[e]
	switch {
	case e == 0:
		return "success (0)"
	case !ok:
		return e.Name()
	}
	return t.text + " (" + t.name + " " + strconv.Itoa(int(e)) + ")"
}

// Errnos returns every code of the set, in no order.
func Errnos() []Errno {
	codes := make([]Errno, 0, len(errnoTable))
	for e := range errnoTable {
		if e != NoErrorCode {
			codes = append(codes, e)
		}
	}
	return codes
}

// Timeout reports whether the error is a timeout, for net.Error.
func (e Errno) Timeout() bool { return e == WSAETIMEDOUT || e == WSAEWOULDBLOCK }

// Temporary reports whether trying again may help, for net.Error.
func (e Errno) Temporary() bool {
	switch e {
	case WSAEINTR, WSAEMFILE, WSAENOBUFS, WSAECONNABORTED, WSAECONNRESET, WSATRY_AGAIN:
		return true
	}
	return e.Timeout()
}

// Is lets errors.Is compare with the system's errors.
func (e Errno) Is(target error) bool {
	switch target {
	case os.ErrDeadlineExceeded:
		return e == WSAETIMEDOUT
	case fs.ErrPermission:
		return e == WSAEACCES
	}
	errno, ok := target.(syscall.Errno)
	return ok && e.means(errno)
}
