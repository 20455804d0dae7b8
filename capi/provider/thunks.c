#include "thunks.h"

#include <stddef.h>
#include <string.h>
#include <ws2spi.h>

#include "_cgo_export.h"
#include "calls.h"
#include "thread.h"
#include "upcalls.h"

/* Writes an error that is one, and returns failed then, else succeeded. */
#define ANSWER(error_, failed_, succeeded_) \
	do { \
		int answer_ = (error_); \
		if (__builtin_expect(answer_ == 0, 1)) \
			return succeeded_; \
		if (error && answer_ != NO_CODE) \
			*error = answer_; \
		return failed_; \
	} while (0)

#define IN_PROCESS(failed_) \
	do { \
		if (__builtin_expect(upcall_forked, 0)) \
			ANSWER(WSANOTINITIALISED, failed_, failed_); \
	} while (0)

/* The thirty functions of instance i, in the order of the table. */

static SOCKET inAccept(int i, SOCKET s, struct sockaddr *addr, LPINT addrlen, LPCONDITIONPROC condition, DWORD_PTR data, LPINT error)
{
	struct goWSPAccept_return r;

	IN_PROCESS(INVALID_SOCKET);
	r = goWSPAccept(i, s, addr, addrlen, (uintptr_t)condition, data);
	ANSWER(r.r1, INVALID_SOCKET, r.r0);
}

static INT inAddressToString(int i, LPSOCKADDR addr, DWORD length, LPWSAPROTOCOL_INFOW info, LPWSTR buf, LPDWORD buflen, LPINT error)
{
	IN_PROCESS(SOCKET_ERROR);
	ANSWER(goWSPAddressToString(i, addr, length, info, buf, buflen), SOCKET_ERROR, 0);
}

static int inAsyncSelect(int i, SOCKET s, HWND wnd, unsigned int msg, LONG events, LPINT error)
{
	IN_PROCESS(SOCKET_ERROR);
	ANSWER(goWSPAsyncSelect(i, s, (uint64_t)wnd, msg, events), SOCKET_ERROR, 0);
}

static int inBind(int i, SOCKET s, const struct sockaddr *name, int length, LPINT error)
{
	IN_PROCESS(SOCKET_ERROR);
	ANSWER(goWSPBind(i, s, (void *)name, length), SOCKET_ERROR, 0);
}

static int inCancelBlockingCall(int i, LPINT error)
{
	IN_PROCESS(SOCKET_ERROR);
	ANSWER(goWSPCancelBlockingCall(i), SOCKET_ERROR, 0);
}

static int inCleanup(int i, LPINT error)
{
	IN_PROCESS(SOCKET_ERROR);
	ANSWER(goWSPCleanup(i), SOCKET_ERROR, 0);
}

static int inCloseSocket(int i, SOCKET s, LPINT error)
{
	IN_PROCESS(SOCKET_ERROR);
	ANSWER(goWSPCloseSocket(i, s), SOCKET_ERROR, 0);
}

static int inConnect(int i, SOCKET s, const struct sockaddr *name, int length, LPWSABUF caller, LPWSABUF callee, LPQOS sqos, LPQOS gqos, LPINT error)
{
	IN_PROCESS(SOCKET_ERROR);
	ANSWER(goWSPConnect(i, s, (void *)name, length, caller, callee, sqos, gqos), SOCKET_ERROR, 0);
}

static int inDuplicateSocket(int i, SOCKET s, DWORD pid, LPWSAPROTOCOL_INFOW info, LPINT error)
{
	IN_PROCESS(SOCKET_ERROR);
	ANSWER(goWSPDuplicateSocket(i, s, pid, info), SOCKET_ERROR, 0);
}

static int inEnumNetworkEvents(int i, SOCKET s, WSAEVENT ev, LPWSANETWORKEVENTS out, LPINT error)
{
	IN_PROCESS(SOCKET_ERROR);
	ANSWER(goWSPEnumNetworkEvents(i, s, (uint64_t)ev, out), SOCKET_ERROR, 0);
}

static int inEventSelect(int i, SOCKET s, WSAEVENT ev, LONG events, LPINT error)
{
	IN_PROCESS(SOCKET_ERROR);
	ANSWER(goWSPEventSelect(i, s, (uint64_t)ev, events), SOCKET_ERROR, 0);
}

static BOOL inGetOverlappedResult(int i, SOCKET s, LPWSAOVERLAPPED ov, LPDWORD transferred, BOOL wait, LPDWORD flags, LPINT error)
{
	IN_PROCESS(FALSE);
	ANSWER(goWSPGetOverlappedResult(i, s, ov, transferred, wait, flags), FALSE, TRUE);
}

static int inGetPeerName(int i, SOCKET s, struct sockaddr *name, LPINT length, LPINT error)
{
	IN_PROCESS(SOCKET_ERROR);
	ANSWER(goWSPGetPeerName(i, s, name, length), SOCKET_ERROR, 0);
}

static int inGetSockName(int i, SOCKET s, struct sockaddr *name, LPINT length, LPINT error)
{
	IN_PROCESS(SOCKET_ERROR);
	ANSWER(goWSPGetSockName(i, s, name, length), SOCKET_ERROR, 0);
}

static int inGetSockOpt(int i, SOCKET s, int level, int option, char *value, LPINT length, LPINT error)
{
	IN_PROCESS(SOCKET_ERROR);
	ANSWER(goWSPGetSockOpt(i, s, level, option, value, length), SOCKET_ERROR, 0);
}

static BOOL inGetQOSByName(int i, SOCKET s, LPWSABUF name, LPQOS qos, LPINT error)
{
	IN_PROCESS(FALSE);
	ANSWER(goWSPGetQOSByName(i, s, name, qos), FALSE, TRUE);
}

static int inIoctl(int i, SOCKET s, DWORD code, LPVOID in, DWORD inlen, LPVOID out, DWORD outlen, LPDWORD returned, LPWSAOVERLAPPED ov, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, LPWSATHREADID thread, LPINT error)
{
	IN_PROCESS(SOCKET_ERROR);
	ANSWER(goWSPIoctl(i, s, code, in, inlen, out, outlen, returned, ov, (uintptr_t)routine, thread), SOCKET_ERROR, 0);
}

static SOCKET inJoinLeaf(int i, SOCKET s, const struct sockaddr *name, int length, LPWSABUF caller, LPWSABUF callee, LPQOS sqos, LPQOS gqos, DWORD flags, LPINT error)
{
	struct goWSPJoinLeaf_return r;

	IN_PROCESS(INVALID_SOCKET);
	r = goWSPJoinLeaf(i, s, (void *)name, length, caller, callee, sqos, gqos, flags);
	ANSWER(r.r1, INVALID_SOCKET, r.r0);
}

static int inListen(int i, SOCKET s, int backlog, LPINT error)
{
	IN_PROCESS(SOCKET_ERROR);
	ANSWER(goWSPListen(i, s, backlog), SOCKET_ERROR, 0);
}

static int inRecv(int i, SOCKET s, LPWSABUF bufs, DWORD n, LPDWORD received, LPDWORD flags, LPWSAOVERLAPPED ov, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, LPWSATHREADID thread, LPINT error)
{
	IN_PROCESS(SOCKET_ERROR);
	ANSWER(goWSPRecv(i, s, bufs, n, received, flags, ov, (uintptr_t)routine, thread), SOCKET_ERROR, 0);
}

static int inRecvDisconnect(int i, SOCKET s, LPWSABUF data, LPINT error)
{
	IN_PROCESS(SOCKET_ERROR);
	ANSWER(goWSPRecvDisconnect(i, s, data), SOCKET_ERROR, 0);
}

static int inRecvFrom(int i, SOCKET s, LPWSABUF bufs, DWORD n, LPDWORD received, LPDWORD flags, struct sockaddr *from, LPINT fromlen, LPWSAOVERLAPPED ov, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, LPWSATHREADID thread, LPINT error)
{
	IN_PROCESS(SOCKET_ERROR);
	ANSWER(goWSPRecvFrom(i, s, bufs, n, received, flags, from, fromlen, ov, (uintptr_t)routine, thread), SOCKET_ERROR, 0);
}

static int inSelect(int i, int nfds, fd_set *reads, fd_set *writes, fd_set *excepts, const struct timeval *timeout, LPINT error)
{
	struct goWSPSelect_return r;

	(void)nfds;
	IN_PROCESS(SOCKET_ERROR);
	r = goWSPSelect(i, reads, writes, excepts, (void *)timeout);
	ANSWER(r.r1, SOCKET_ERROR, r.r0);
}

static int inSend(int i, SOCKET s, LPWSABUF bufs, DWORD n, LPDWORD sent, DWORD flags, LPWSAOVERLAPPED ov, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, LPWSATHREADID thread, LPINT error)
{
	IN_PROCESS(SOCKET_ERROR);
	ANSWER(goWSPSend(i, s, bufs, n, sent, flags, ov, (uintptr_t)routine, thread), SOCKET_ERROR, 0);
}

static int inSendDisconnect(int i, SOCKET s, LPWSABUF data, LPINT error)
{
	IN_PROCESS(SOCKET_ERROR);
	ANSWER(goWSPSendDisconnect(i, s, data), SOCKET_ERROR, 0);
}

static int inSendTo(int i, SOCKET s, LPWSABUF bufs, DWORD n, LPDWORD sent, DWORD flags, const struct sockaddr *to, int tolen, LPWSAOVERLAPPED ov, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, LPWSATHREADID thread, LPINT error)
{
	IN_PROCESS(SOCKET_ERROR);
	ANSWER(goWSPSendTo(i, s, bufs, n, sent, flags, (void *)to, tolen, ov, (uintptr_t)routine, thread), SOCKET_ERROR, 0);
}

static int inSetSockOpt(int i, SOCKET s, int level, int option, const char *value, int length, LPINT error)
{
	IN_PROCESS(SOCKET_ERROR);
	ANSWER(goWSPSetSockOpt(i, s, level, option, (void *)value, length), SOCKET_ERROR, 0);
}

static int inShutdown(int i, SOCKET s, int how, LPINT error)
{
	IN_PROCESS(SOCKET_ERROR);
	ANSWER(goWSPShutdown(i, s, how), SOCKET_ERROR, 0);
}

static SOCKET inSocket(int i, int af, int type, int protocol, LPWSAPROTOCOL_INFOW info, GROUP g, DWORD flags, LPINT error)
{
	struct goWSPSocket_return r;

	IN_PROCESS(INVALID_SOCKET);
	r = goWSPSocket(i, af, type, protocol, info, g, flags);
	ANSWER(r.r1, INVALID_SOCKET, r.r0);
}

static INT inStringToAddress(int i, LPWSTR text, INT af, LPWSAPROTOCOL_INFOW info, LPSOCKADDR addr, LPINT length, LPINT error)
{
	IN_PROCESS(SOCKET_ERROR);
	ANSWER(goWSPStringToAddress(i, text, af, info, addr, length), SOCKET_ERROR, 0);
}

#define FUNCTIONS(i) \
	static SOCKET WSPAPI Accept_##i(SOCKET s, struct sockaddr *addr, LPINT addrlen, LPCONDITIONPROC condition, DWORD_PTR data, LPINT error) { return inAccept(i, s, addr, addrlen, condition, data, error); } \
	static INT WSPAPI AddressToString_##i(LPSOCKADDR addr, DWORD length, LPWSAPROTOCOL_INFOW info, LPWSTR buf, LPDWORD buflen, LPINT error) { return inAddressToString(i, addr, length, info, buf, buflen, error); } \
	static int WSPAPI AsyncSelect_##i(SOCKET s, HWND wnd, unsigned int msg, LONG events, LPINT error) { return inAsyncSelect(i, s, wnd, msg, events, error); } \
	static int WSPAPI Bind_##i(SOCKET s, const struct sockaddr *name, int length, LPINT error) { return inBind(i, s, name, length, error); } \
	static int WSPAPI CancelBlockingCall_##i(LPINT error) { return inCancelBlockingCall(i, error); } \
	static int WSPAPI Cleanup_##i(LPINT error) { return inCleanup(i, error); } \
	static int WSPAPI CloseSocket_##i(SOCKET s, LPINT error) { return inCloseSocket(i, s, error); } \
	static int WSPAPI Connect_##i(SOCKET s, const struct sockaddr *name, int length, LPWSABUF caller, LPWSABUF callee, LPQOS sqos, LPQOS gqos, LPINT error) { return inConnect(i, s, name, length, caller, callee, sqos, gqos, error); } \
	static int WSPAPI DuplicateSocket_##i(SOCKET s, DWORD pid, LPWSAPROTOCOL_INFOW info, LPINT error) { return inDuplicateSocket(i, s, pid, info, error); } \
	static int WSPAPI EnumNetworkEvents_##i(SOCKET s, WSAEVENT ev, LPWSANETWORKEVENTS out, LPINT error) { return inEnumNetworkEvents(i, s, ev, out, error); } \
	static int WSPAPI EventSelect_##i(SOCKET s, WSAEVENT ev, LONG events, LPINT error) { return inEventSelect(i, s, ev, events, error); } \
	static BOOL WSPAPI GetOverlappedResult_##i(SOCKET s, LPWSAOVERLAPPED ov, LPDWORD transferred, BOOL wait, LPDWORD flags, LPINT error) { return inGetOverlappedResult(i, s, ov, transferred, wait, flags, error); } \
	static int WSPAPI GetPeerName_##i(SOCKET s, struct sockaddr *name, LPINT length, LPINT error) { return inGetPeerName(i, s, name, length, error); } \
	static int WSPAPI GetSockName_##i(SOCKET s, struct sockaddr *name, LPINT length, LPINT error) { return inGetSockName(i, s, name, length, error); } \
	static int WSPAPI GetSockOpt_##i(SOCKET s, int level, int option, char *value, LPINT length, LPINT error) { return inGetSockOpt(i, s, level, option, value, length, error); } \
	static BOOL WSPAPI GetQOSByName_##i(SOCKET s, LPWSABUF name, LPQOS qos, LPINT error) { return inGetQOSByName(i, s, name, qos, error); } \
	static int WSPAPI Ioctl_##i(SOCKET s, DWORD code, LPVOID in, DWORD inlen, LPVOID out, DWORD outlen, LPDWORD returned, LPWSAOVERLAPPED ov, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, LPWSATHREADID thread, LPINT error) { return inIoctl(i, s, code, in, inlen, out, outlen, returned, ov, routine, thread, error); } \
	static SOCKET WSPAPI JoinLeaf_##i(SOCKET s, const struct sockaddr *name, int length, LPWSABUF caller, LPWSABUF callee, LPQOS sqos, LPQOS gqos, DWORD flags, LPINT error) { return inJoinLeaf(i, s, name, length, caller, callee, sqos, gqos, flags, error); } \
	static int WSPAPI Listen_##i(SOCKET s, int backlog, LPINT error) { return inListen(i, s, backlog, error); } \
	static int WSPAPI Recv_##i(SOCKET s, LPWSABUF bufs, DWORD n, LPDWORD received, LPDWORD flags, LPWSAOVERLAPPED ov, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, LPWSATHREADID thread, LPINT error) { return inRecv(i, s, bufs, n, received, flags, ov, routine, thread, error); } \
	static int WSPAPI RecvDisconnect_##i(SOCKET s, LPWSABUF data, LPINT error) { return inRecvDisconnect(i, s, data, error); } \
	static int WSPAPI RecvFrom_##i(SOCKET s, LPWSABUF bufs, DWORD n, LPDWORD received, LPDWORD flags, struct sockaddr *from, LPINT fromlen, LPWSAOVERLAPPED ov, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, LPWSATHREADID thread, LPINT error) { return inRecvFrom(i, s, bufs, n, received, flags, from, fromlen, ov, routine, thread, error); } \
	static int WSPAPI Select_##i(int nfds, fd_set *reads, fd_set *writes, fd_set *excepts, const struct timeval *timeout, LPINT error) { return inSelect(i, nfds, reads, writes, excepts, timeout, error); } \
	static int WSPAPI Send_##i(SOCKET s, LPWSABUF bufs, DWORD n, LPDWORD sent, DWORD flags, LPWSAOVERLAPPED ov, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, LPWSATHREADID thread, LPINT error) { return inSend(i, s, bufs, n, sent, flags, ov, routine, thread, error); } \
	static int WSPAPI SendDisconnect_##i(SOCKET s, LPWSABUF data, LPINT error) { return inSendDisconnect(i, s, data, error); } \
	static int WSPAPI SendTo_##i(SOCKET s, LPWSABUF bufs, DWORD n, LPDWORD sent, DWORD flags, const struct sockaddr *to, int tolen, LPWSAOVERLAPPED ov, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, LPWSATHREADID thread, LPINT error) { return inSendTo(i, s, bufs, n, sent, flags, to, tolen, ov, routine, thread, error); } \
	static int WSPAPI SetSockOpt_##i(SOCKET s, int level, int option, const char *value, int length, LPINT error) { return inSetSockOpt(i, s, level, option, value, length, error); } \
	static int WSPAPI Shutdown_##i(SOCKET s, int how, LPINT error) { return inShutdown(i, s, how, error); } \
	static SOCKET WSPAPI Socket_##i(int af, int type, int protocol, LPWSAPROTOCOL_INFOW info, GROUP g, DWORD flags, LPINT error) { return inSocket(i, af, type, protocol, info, g, flags, error); } \
	static INT WSPAPI StringToAddress_##i(LPWSTR text, INT af, LPWSAPROTOCOL_INFOW info, LPSOCKADDR addr, LPINT length, LPINT error) { return inStringToAddress(i, text, af, info, addr, length, error); } \
	static int WSPAPI Startup_##i(WORD version, LPWSPDATA data, LPWSAPROTOCOL_INFOW info, WSPUPCALLTABLE upcalls, LPWSPPROC_TABLE table) { return start(i, version, data, info, &upcalls, table); }

#define TABLE(i) { \
	Accept_##i, AddressToString_##i, AsyncSelect_##i, Bind_##i, CancelBlockingCall_##i, \
	Cleanup_##i, CloseSocket_##i, Connect_##i, DuplicateSocket_##i, EnumNetworkEvents_##i, \
	EventSelect_##i, GetOverlappedResult_##i, GetPeerName_##i, GetSockName_##i, GetSockOpt_##i, \
	GetQOSByName_##i, Ioctl_##i, JoinLeaf_##i, Listen_##i, Recv_##i, \
	RecvDisconnect_##i, RecvFrom_##i, Select_##i, Send_##i, SendDisconnect_##i, \
	SendTo_##i, SetSockOpt_##i, Shutdown_##i, Socket_##i, StringToAddress_##i, \
	},
#define STARTUP(i) Startup_##i,

#define EIGHT(M, a) M(a##0) M(a##1) M(a##2) M(a##3) M(a##4) M(a##5) M(a##6) M(a##7)
#define EACH(M) EIGHT(M, 00) EIGHT(M, 01) EIGHT(M, 02) EIGHT(M, 03) EIGHT(M, 04) EIGHT(M, 05) EIGHT(M, 06) EIGHT(M, 07)

static int start(int module, WORD version, LPWSPDATA data, LPWSAPROTOCOL_INFOW info, const WSPUPCALLTABLE *upcalls, LPWSPPROC_TABLE table);

EACH(FUNCTIONS) /* numbered in octal */

static const WSPPROC_TABLE tables[UPCALL_INSTANCES] = {EACH(TABLE)};
static const LPWSPSTARTUP startups[UPCALL_INSTANCES] = {EACH(STARTUP)};

static int start(int module, WORD version, LPWSPDATA data, LPWSAPROTOCOL_INFOW info, const WSPUPCALLTABLE *upcalls, LPWSPPROC_TABLE table)
{
	struct goModuleStart_return r;

	if (upcall_forked)
		return WSANOTINITIALISED;
	if (!data || !info || !table)
		return WSAEFAULT;
	r = goModuleStart(module, version, data, info, (void *)upcalls, upcall_table_foreign(upcalls), upcall_starting());
	if (r.r1 == 0)
		*table = tables[r.r0];
	return r.r1;
}

static char modules[UPCALL_INSTANCES];

void *upcall_go_module(int m)
{
	return &modules[m];
}

int upcall_go_module_number(void *module)
{
	ptrdiff_t m = (char *)module - modules;

	return m >= 0 && m < UPCALL_INSTANCES ? (int)m : -1;
}

void *upcall_go_startup(int m)
{
	return (void *)startups[m];
}
