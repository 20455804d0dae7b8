#include "calls.h"

#include "callbacks.h"
#include "enter.h"

static inline int32_t failure(int error)
{
	return error ? error : NO_CODE;
}

/* Calls a function; rc is the call, failed whether it failed. */
#define CALL(NAME, result_, failed_, ...) \
	struct upcall_entered entered = upcall_enter(c->library, "WSP" #NAME); \
	int error = 0; \
	result_ rc = c->table.lpWSP##NAME(__VA_ARGS__ __VA_OPT__(,) &error); \
	upcall_leave(c->library, &entered); \
	int32_t code = (failed_) ? failure(error) : 0

#define INT_CALL(NAME, ...) \
	CALL(NAME, int, rc != 0, __VA_ARGS__); \
	return code

#define BOOL_CALL(NAME, ...) \
	CALL(NAME, BOOL, !rc, __VA_ARGS__); \
	return code

#define SOCKET_CALL(NAME, ...) \
	CALL(NAME, SOCKET, rc == INVALID_SOCKET, __VA_ARGS__); \
	return (struct upcall_socket_result){rc, code}

/* A routine of Go's is upcall_completion, which finds it by the OVERLAPPED. */
#define ROUTINE (routine ? upcall_completion : 0)

struct upcall_socket_result upcall_call_accept(callee c, uint64_t s, uintptr_t addr, uintptr_t addrlen, uintptr_t condition)
{
	SOCKET_CALL(Accept, s, (struct sockaddr *)addr, (int *)addrlen, condition ? upcall_condition : 0, condition);
}

int32_t upcall_call_address_to_string(callee c, uintptr_t addr, uint32_t length, uintptr_t info, uintptr_t buf, uintptr_t buflen)
{
	INT_CALL(AddressToString, (LPSOCKADDR)addr, length, (LPWSAPROTOCOL_INFOW)info, (LPWSTR)buf, (LPDWORD)buflen);
}

int32_t upcall_call_async_select(callee c, uint64_t s, uint64_t wnd, uint32_t msg, int32_t events)
{
	INT_CALL(AsyncSelect, s, (HWND)wnd, msg, events);
}

int32_t upcall_call_bind(callee c, uint64_t s, uintptr_t name, int32_t length)
{
	INT_CALL(Bind, s, (struct sockaddr *)name, length);
}

int32_t upcall_call_cancel_blocking_call(callee c)
{
	INT_CALL(CancelBlockingCall);
}

int32_t upcall_call_cleanup(callee c)
{
	INT_CALL(Cleanup);
}

int32_t upcall_call_close_socket(callee c, uint64_t s)
{
	INT_CALL(CloseSocket, s);
}

int32_t upcall_call_connect(callee c, uint64_t s, uintptr_t name, int32_t length, uintptr_t caller, uintptr_t callee_data, uintptr_t sqos, uintptr_t gqos)
{
	INT_CALL(Connect, s, (struct sockaddr *)name, length, (LPWSABUF)caller, (LPWSABUF)callee_data, (LPQOS)sqos, (LPQOS)gqos);
}

int32_t upcall_call_duplicate_socket(callee c, uint64_t s, uint32_t pid, uintptr_t info)
{
	INT_CALL(DuplicateSocket, s, pid, (LPWSAPROTOCOL_INFOW)info);
}

int32_t upcall_call_enum_network_events(callee c, uint64_t s, uint64_t ev, uintptr_t out)
{
	INT_CALL(EnumNetworkEvents, s, (WSAEVENT)ev, (LPWSANETWORKEVENTS)out);
}

int32_t upcall_call_event_select(callee c, uint64_t s, uint64_t ev, int32_t events)
{
	INT_CALL(EventSelect, s, (WSAEVENT)ev, events);
}

int32_t upcall_call_get_overlapped_result(callee c, uint64_t s, uintptr_t ov, uintptr_t transferred, int32_t wait, uintptr_t flags)
{
	BOOL_CALL(GetOverlappedResult, s, (LPWSAOVERLAPPED)ov, (LPDWORD)transferred, wait, (LPDWORD)flags);
}

int32_t upcall_call_get_peer_name(callee c, uint64_t s, uintptr_t name, uintptr_t length)
{
	INT_CALL(GetPeerName, s, (struct sockaddr *)name, (int *)length);
}

int32_t upcall_call_get_sock_name(callee c, uint64_t s, uintptr_t name, uintptr_t length)
{
	INT_CALL(GetSockName, s, (struct sockaddr *)name, (int *)length);
}

int32_t upcall_call_get_sock_opt(callee c, uint64_t s, int32_t level, int32_t option, uintptr_t value, uintptr_t length)
{
	INT_CALL(GetSockOpt, s, level, option, (char *)value, (int *)length);
}

int32_t upcall_call_get_qos_by_name(callee c, uint64_t s, uintptr_t name, uintptr_t qos)
{
	BOOL_CALL(GetQOSByName, s, (LPWSABUF)name, (LPQOS)qos);
}

int32_t upcall_call_ioctl(callee c, uint64_t s, uint32_t control, uintptr_t in, uint32_t inlen, uintptr_t out, uint32_t outlen, uintptr_t returned, uintptr_t ov, int32_t routine, uintptr_t thread)
{
	INT_CALL(Ioctl, s, control, (void *)in, inlen, (void *)out, outlen, (LPDWORD)returned, (LPWSAOVERLAPPED)ov, ROUTINE, (LPWSATHREADID)thread);
}

struct upcall_socket_result upcall_call_join_leaf(callee c, uint64_t s, uintptr_t name, int32_t length, uintptr_t caller, uintptr_t callee_data, uintptr_t sqos, uintptr_t gqos, uint32_t flags)
{
	SOCKET_CALL(JoinLeaf, s, (struct sockaddr *)name, length, (LPWSABUF)caller, (LPWSABUF)callee_data, (LPQOS)sqos, (LPQOS)gqos, flags);
}

int32_t upcall_call_listen(callee c, uint64_t s, int32_t backlog)
{
	INT_CALL(Listen, s, backlog);
}

int32_t upcall_call_recv(callee c, uint64_t s, uintptr_t bufs, uint32_t n, uintptr_t received, uintptr_t flags, uintptr_t ov, int32_t routine, uintptr_t thread)
{
	INT_CALL(Recv, s, (LPWSABUF)bufs, n, (LPDWORD)received, (LPDWORD)flags, (LPWSAOVERLAPPED)ov, ROUTINE, (LPWSATHREADID)thread);
}

int32_t upcall_call_recv_disconnect(callee c, uint64_t s, uintptr_t data)
{
	INT_CALL(RecvDisconnect, s, (LPWSABUF)data);
}

int32_t upcall_call_recv_from(callee c, uint64_t s, uintptr_t bufs, uint32_t n, uintptr_t received, uintptr_t flags, uintptr_t from, uintptr_t fromlen, uintptr_t ov, int32_t routine, uintptr_t thread)
{
	INT_CALL(RecvFrom, s, (LPWSABUF)bufs, n, (LPDWORD)received, (LPDWORD)flags, (struct sockaddr *)from, (int *)fromlen, (LPWSAOVERLAPPED)ov, ROUTINE, (LPWSATHREADID)thread);
}

struct upcall_count_result upcall_call_select(callee c, uintptr_t r, uintptr_t w, uintptr_t e, uintptr_t timeout)
{
	CALL(Select, int, rc == SOCKET_ERROR, 0, (fd_set *)r, (fd_set *)w, (fd_set *)e, (struct timeval *)timeout);
	return (struct upcall_count_result){rc, code};
}

int32_t upcall_call_send(callee c, uint64_t s, uintptr_t bufs, uint32_t n, uintptr_t sent, uint32_t flags, uintptr_t ov, int32_t routine, uintptr_t thread)
{
	INT_CALL(Send, s, (LPWSABUF)bufs, n, (LPDWORD)sent, flags, (LPWSAOVERLAPPED)ov, ROUTINE, (LPWSATHREADID)thread);
}

int32_t upcall_call_send_disconnect(callee c, uint64_t s, uintptr_t data)
{
	INT_CALL(SendDisconnect, s, (LPWSABUF)data);
}

int32_t upcall_call_send_to(callee c, uint64_t s, uintptr_t bufs, uint32_t n, uintptr_t sent, uint32_t flags, uintptr_t to, int32_t tolen, uintptr_t ov, int32_t routine, uintptr_t thread)
{
	INT_CALL(SendTo, s, (LPWSABUF)bufs, n, (LPDWORD)sent, flags, (struct sockaddr *)to, tolen, (LPWSAOVERLAPPED)ov, ROUTINE, (LPWSATHREADID)thread);
}

int32_t upcall_call_set_sock_opt(callee c, uint64_t s, int32_t level, int32_t option, uintptr_t value, int32_t length)
{
	INT_CALL(SetSockOpt, s, level, option, (const char *)value, length);
}

int32_t upcall_call_shutdown(callee c, uint64_t s, int32_t how)
{
	INT_CALL(Shutdown, s, how);
}

struct upcall_socket_result upcall_call_socket(callee c, int32_t af, int32_t type, int32_t protocol, uintptr_t info, uint32_t g, uint32_t flags)
{
	SOCKET_CALL(Socket, af, type, protocol, (LPWSAPROTOCOL_INFOW)info, g, flags);
}

int32_t upcall_call_string_to_address(callee c, uintptr_t text, int32_t af, uintptr_t info, uintptr_t addr, uintptr_t length)
{
	INT_CALL(StringToAddress, (LPWSTR)text, af, (LPWSAPROTOCOL_INFOW)info, (LPSOCKADDR)addr, (int *)length);
}
