#include "extension.h"

#include <mswsock.h>

#include "_cgo_export.h"
#include "callbacks.h"
#include "enter.h"
#include "thread.h"

/* Calls an extension function of a provider in C, which sets the last error. */
#define CALL(NAME, type_, result_, failed_, ...) \
	struct upcall_entered entered = upcall_enter(c->library, NAME); \
	uint32_t outer = upcall_thread.error; \
	upcall_thread.error = 0; \
	result_ rc = ((type_)f)(__VA_ARGS__); \
	int32_t code = (failed_) ? (upcall_thread.error ? (int32_t)upcall_thread.error : NO_CODE) : 0; \
	upcall_thread.error = outer; \
	upcall_leave(c->library, &entered)

#define BOOL_CALL(NAME, type_, ...) \
	CALL(NAME, type_, BOOL, !rc, __VA_ARGS__); \
	return code

#define INT_CALL(NAME, type_, ...) \
	CALL(NAME, type_, int, rc == SOCKET_ERROR, __VA_ARGS__); \
	return code

#define ROUTINE (routine ? upcall_completion : 0)

int32_t upcall_ext_acceptex(callee c, uintptr_t f, uint64_t listen, uint64_t accept, uintptr_t out, uint32_t receive, uint32_t local, uint32_t remote, uintptr_t received, uintptr_t ov)
{
	BOOL_CALL("AcceptEx", LPFN_ACCEPTEX, listen, accept, (void *)out, receive, local, remote, (LPDWORD)received, (LPOVERLAPPED)ov);
}

struct upcall_sockaddrs upcall_ext_getacceptexsockaddrs(callee c, uintptr_t f, uintptr_t out, uint32_t receive, uint32_t local, uint32_t remote)
{
	struct upcall_entered entered = upcall_enter(c->library, "GetAcceptExSockaddrs");
	struct sockaddr *from = 0, *to = 0;
	int fromlen = 0, tolen = 0;

	((LPFN_GETACCEPTEXSOCKADDRS)f)((void *)out, receive, local, remote, &to, &tolen, &from, &fromlen);
	upcall_leave(c->library, &entered);
	return (struct upcall_sockaddrs){(uintptr_t)to, (uintptr_t)from, tolen, fromlen, 0};
}

int32_t upcall_ext_connectex(callee c, uintptr_t f, uint64_t s, uintptr_t name, int32_t length, uintptr_t data, uint32_t size, uintptr_t sent, uintptr_t ov)
{
	BOOL_CALL("ConnectEx", LPFN_CONNECTEX, s, (struct sockaddr *)name, length, (void *)data, size, (LPDWORD)sent, (LPOVERLAPPED)ov);
}

int32_t upcall_ext_disconnectex(callee c, uintptr_t f, uint64_t s, uintptr_t ov, uint32_t flags)
{
	BOOL_CALL("DisconnectEx", LPFN_DISCONNECTEX, s, (LPOVERLAPPED)ov, flags, 0);
}

int32_t upcall_ext_transmitfile(callee c, uintptr_t f, uint64_t s, uintptr_t file, uint32_t bytes, uint32_t each, uintptr_t ov, uintptr_t around, uint32_t flags)
{
	BOOL_CALL("TransmitFile", LPFN_TRANSMITFILE, s, (HANDLE)file, bytes, each, (LPOVERLAPPED)ov, (LPTRANSMIT_FILE_BUFFERS)around, flags);
}

int32_t upcall_ext_transmitpackets(callee c, uintptr_t f, uint64_t s, uintptr_t elements, uint32_t n, uint32_t each, uintptr_t ov, uint32_t flags)
{
	BOOL_CALL("TransmitPackets", LPFN_TRANSMITPACKETS, s, (LPTRANSMIT_PACKETS_ELEMENT)elements, n, each, (LPOVERLAPPED)ov, flags);
}

int32_t upcall_ext_wsarecvmsg(callee c, uintptr_t f, uint64_t s, uintptr_t msg, uintptr_t received, uintptr_t ov, int32_t routine)
{
	INT_CALL("WSARecvMsg", LPFN_WSARECVMSG, s, (LPWSAMSG)msg, (LPDWORD)received, (LPWSAOVERLAPPED)ov, ROUTINE);
}

int32_t upcall_ext_wsasendmsg(callee c, uintptr_t f, uint64_t s, uintptr_t msg, uint32_t flags, uintptr_t sent, uintptr_t ov, int32_t routine)
{
	INT_CALL("WSASendMsg", LPFN_WSASENDMSG, s, (LPWSAMSG)msg, flags, (LPDWORD)sent, (LPWSAOVERLAPPED)ov, ROUTINE);
}

struct upcall_count_result upcall_ext_wsapoll(callee c, uintptr_t f, uintptr_t fds, uint32_t n, int32_t timeout)
{
	CALL("WSAPoll", LPFN_WSAPOLL, int, rc == SOCKET_ERROR, (LPWSAPOLLFD)fds, n, timeout);
	return (struct upcall_count_result){rc, code};
}

/* The functions that C gets: their failure is the last error. */
#define BOOL_ANSWER(error_) \
	do { \
		ALIVE(FALSE); \
		FAIL_IF(error_, FALSE); \
		return TRUE; \
	} while (0)

#define INT_ANSWER(error_) \
	do { \
		ALIVE(SOCKET_ERROR); \
		FAIL_IF(error_, SOCKET_ERROR); \
		return 0; \
	} while (0)

static BOOL accept_ex(int i, SOCKET listen, SOCKET accept, PVOID out, DWORD receive, DWORD local, DWORD remote, LPDWORD received, LPOVERLAPPED ov)
{
	BOOL_ANSWER(goExtAcceptEx(i, listen, accept, out, receive, local, remote, received, ov));
}

static void get_sockaddrs(int i, PVOID out, DWORD receive, DWORD local, DWORD remote, struct sockaddr **to, LPINT tolen, struct sockaddr **from, LPINT fromlen)
{
	struct goExtGetAcceptExSockaddrs_return r = {0};

	if (!upcall_forked)
		r = goExtGetAcceptExSockaddrs(i, out, receive, local, remote);
	if (to)
		*to = r.r0 ? (struct sockaddr *)((char *)out + r.r0) : 0;
	if (tolen)
		*tolen = r.r1;
	if (from)
		*from = r.r2 ? (struct sockaddr *)((char *)out + r.r2) : 0;
	if (fromlen)
		*fromlen = r.r3;
}

static BOOL connect_ex(int i, SOCKET s, const struct sockaddr *name, int length, PVOID data, DWORD size, LPDWORD sent, LPOVERLAPPED ov)
{
	BOOL_ANSWER(goExtConnectEx(i, s, (void *)name, length, data, size, sent, ov));
}

static BOOL disconnect_ex(int i, SOCKET s, LPOVERLAPPED ov, DWORD flags, DWORD reserved)
{
	BOOL_ANSWER(reserved ? WSAEINVAL : goExtDisconnectEx(i, s, ov, flags));
}

static BOOL transmit_file(int i, SOCKET s, HANDLE file, DWORD bytes, DWORD each, LPOVERLAPPED ov, LPTRANSMIT_FILE_BUFFERS around, DWORD flags)
{
	BOOL_ANSWER(goExtTransmitFile(i, s, (uintptr_t)file, bytes, each, ov, around, flags));
}

static BOOL transmit_packets(int i, SOCKET s, LPTRANSMIT_PACKETS_ELEMENT elements, DWORD n, DWORD each, LPOVERLAPPED ov, DWORD flags)
{
	BOOL_ANSWER(goExtTransmitPackets(i, s, elements, n, each, ov, flags));
}

static INT recv_msg(int i, SOCKET s, LPWSAMSG msg, LPDWORD received, LPWSAOVERLAPPED ov, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
	INT_ANSWER(goExtWSARecvMsg(i, s, msg, received, ov, (uintptr_t)routine));
}

static INT send_msg(int i, SOCKET s, LPWSAMSG msg, DWORD flags, LPDWORD sent, LPWSAOVERLAPPED ov, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
	INT_ANSWER(goExtWSASendMsg(i, s, msg, flags, sent, ov, (uintptr_t)routine));
}

static INT poll_fds(int i, LPWSAPOLLFD fds, ULONG n, INT timeout)
{
	struct goExtWSAPoll_return r;

	ALIVE(SOCKET_ERROR);
	r = goExtWSAPoll(i, fds, n, timeout);
	FAIL_IF(r.r1, SOCKET_ERROR);
	return r.r0;
}

#define FUNCTIONS(i) \
	static BOOL PASCAL AcceptEx_##i(SOCKET listen, SOCKET accept, PVOID out, DWORD receive, DWORD local, DWORD remote, LPDWORD received, LPOVERLAPPED ov) { return accept_ex(i, listen, accept, out, receive, local, remote, received, ov); } \
	static void PASCAL GetAcceptExSockaddrs_##i(PVOID out, DWORD receive, DWORD local, DWORD remote, struct sockaddr **to, LPINT tolen, struct sockaddr **from, LPINT fromlen) { get_sockaddrs(i, out, receive, local, remote, to, tolen, from, fromlen); } \
	static BOOL PASCAL ConnectEx_##i(SOCKET s, const struct sockaddr *name, int length, PVOID data, DWORD size, LPDWORD sent, LPOVERLAPPED ov) { return connect_ex(i, s, name, length, data, size, sent, ov); } \
	static BOOL PASCAL DisconnectEx_##i(SOCKET s, LPOVERLAPPED ov, DWORD flags, DWORD reserved) { return disconnect_ex(i, s, ov, flags, reserved); } \
	static BOOL PASCAL TransmitFile_##i(SOCKET s, HANDLE file, DWORD bytes, DWORD each, LPOVERLAPPED ov, LPTRANSMIT_FILE_BUFFERS around, DWORD flags) { return transmit_file(i, s, file, bytes, each, ov, around, flags); } \
	static BOOL PASCAL TransmitPackets_##i(SOCKET s, LPTRANSMIT_PACKETS_ELEMENT elements, DWORD n, DWORD each, LPOVERLAPPED ov, DWORD flags) { return transmit_packets(i, s, elements, n, each, ov, flags); } \
	static INT PASCAL RecvMsg_##i(SOCKET s, LPWSAMSG msg, LPDWORD received, LPWSAOVERLAPPED ov, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine) { return recv_msg(i, s, msg, received, ov, routine); } \
	static INT PASCAL SendMsg_##i(SOCKET s, LPWSAMSG msg, DWORD flags, LPDWORD sent, LPWSAOVERLAPPED ov, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine) { return send_msg(i, s, msg, flags, sent, ov, routine); } \
	static INT WSAAPI Poll_##i(LPWSAPOLLFD fds, ULONG n, INT timeout) { return poll_fds(i, fds, n, timeout); }

/* In the order of enum upcall_extension. */
#define ROW(i) {(uintptr_t)AcceptEx_##i, (uintptr_t)GetAcceptExSockaddrs_##i, (uintptr_t)ConnectEx_##i, (uintptr_t)DisconnectEx_##i, (uintptr_t)TransmitFile_##i, (uintptr_t)TransmitPackets_##i, (uintptr_t)RecvMsg_##i, (uintptr_t)SendMsg_##i, (uintptr_t)Poll_##i},

#define EIGHT(M, a) M(a##0) M(a##1) M(a##2) M(a##3) M(a##4) M(a##5) M(a##6) M(a##7)
#define EACH(M) EIGHT(M, 00) EIGHT(M, 01) EIGHT(M, 02) EIGHT(M, 03) EIGHT(M, 04) EIGHT(M, 05) EIGHT(M, 06) EIGHT(M, 07)

EACH(FUNCTIONS) /* numbered in octal */

static const uintptr_t pointers[UPCALL_POINTERS][UPCALL_EXTENSIONS] = {EACH(ROW)};

uintptr_t upcall_extension_pointer(int kind, int n)
{
	return pointers[n][kind];
}

int upcall_extension_number(int kind, uintptr_t function)
{
	for (int n = 0; n < UPCALL_POINTERS; n++)
		if (pointers[n][kind] == function)
			return n;
	return -1;
}
