/*
 * Extension functions: the client gets a pointer to each from WSAIoctl, and
 * calls it past the host. A layer with handles of its own must give its own,
 * since the ones of the provider below know nothing of the layer's handles.
 *
 * They tell an error by WSASetLastError, and have no parameter for a thread.
 */
#include "nonifs.h"

static const GUID acceptex = WSAID_ACCEPTEX, getsockaddrs = WSAID_GETACCEPTEXSOCKADDRS, connectex = WSAID_CONNECTEX,
		  disconnectex = WSAID_DISCONNECTEX, transmitfile = WSAID_TRANSMITFILE, transmitpackets = WSAID_TRANSMITPACKETS,
		  recvmsg_ = WSAID_WSARECVMSG, sendmsg_ = WSAID_WSASENDMSG, poll_ = WSAID_WSAPOLL;

/* A pointer to any function, by way of which the others are converted. */
typedef void (*FUNCTION)(void);

/* The function of the provider below; NULL: the last error is set. */
static FUNCTION Below(SOCK *sock, const GUID *id)
{
	FUNCTION function = NULL;
	DWORD bytes;
	int error = 0;

	if (sock->below->table.lpWSPIoctl(sock->lower, SIO_GET_EXTENSION_FUNCTION_POINTER, (void *)id, sizeof *id, &function, sizeof function, &bytes, NULL, NULL, NULL, &error) == SOCKET_ERROR) {
		WSASetLastError(error);
		return NULL;
	}
	return function;
}

/* Acquire for these functions. */
static SOCK *AcquireFor(SOCKET s)
{
	int error = 0;
	SOCK *sock = Acquire(s, &error);

	if (sock == NULL)
		WSASetLastError(error);
	return sock;
}

static OPERATION *BeginFor(SOCK *sock, LPOVERLAPPED overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
	int error = 0;
	OPERATION *op = Begin(sock, overlapped, routine, NULL, &error);

	if (op == NULL)
		WSASetLastError(error);
	return op;
}

/* Begun for these functions: rc is 0 or SOCKET_ERROR with the last error. */
static int BegunFor(OPERATION *op, int rc)
{
	int error = rc == 0 ? 0 : WSAGetLastError();

	rc = Begun(op, rc, error, &error);
	WSASetLastError(error);
	return rc;
}

static BOOL PASCAL LayerAcceptEx(SOCKET listening, SOCKET accepting, PVOID out, DWORD receive, DWORD local, DWORD remote, LPDWORD received, LPOVERLAPPED overlapped)
{
	SOCK *l = AcquireFor(listening), *a;
	LPFN_ACCEPTEX below;
	OPERATION *op;
	int rc;

	(void)received; /* the client gets the count with the completion */
	if (l == NULL)
		return FALSE;
	a = AcquireFor(accepting);
	below = a != NULL ? (LPFN_ACCEPTEX)Below(l, &acceptex) : NULL;
	if (below == NULL || overlapped == NULL) {
		if (below != NULL)
			WSASetLastError(WSAEFAULT);
		if (a != NULL)
			Release(a);
		Release(l);
		return FALSE;
	}
	op = BeginFor(l, overlapped, NULL);
	if (op == NULL) {
		Release(a);
		return FALSE;
	}
	rc = below(l->lower, a->lower, out, receive, local, remote, &op->entries[0], &op->below) ? 0 : SOCKET_ERROR;
	rc = BegunFor(op, rc);
	Release(a);
	return rc == 0;
}

static BOOL PASCAL LayerConnectEx(SOCKET s, const struct sockaddr *name, int length, PVOID data, DWORD size, LPDWORD sent, LPOVERLAPPED overlapped)
{
	SOCK *sock = AcquireFor(s);
	LPFN_CONNECTEX below;
	OPERATION *op;

	(void)sent;
	if (sock == NULL)
		return FALSE;
	below = (LPFN_CONNECTEX)Below(sock, &connectex);
	if (below == NULL || overlapped == NULL) {
		if (below != NULL)
			WSASetLastError(WSAEFAULT);
		Release(sock);
		return FALSE;
	}
	op = BeginFor(sock, overlapped, NULL);
	if (op == NULL)
		return FALSE;
	op->sends = TRUE;
	return BegunFor(op, below(sock->lower, name, length, data, size, &op->entries[0], &op->below) ? 0 : SOCKET_ERROR) == 0;
}

/*
 * The rest may be called without an OVERLAPPED, and then wait. CALL is the call
 * below, in which ov is what to pass.
 */
#define EXTENSION(success_, failure_, type_, id_, sends_, routine_, CALL) \
	SOCK *sock = AcquireFor(s); \
	type_ below; \
	OPERATION *op; \
	LPOVERLAPPED ov = NULL; \
	int rc; \
	if (sock == NULL) \
		return failure_; \
	below = (type_)Below(sock, &id_); \
	if (below == NULL) { \
		Release(sock); \
		return failure_; \
	} \
	if (overlapped == NULL) { \
		rc = CALL; \
		Release(sock); \
		return rc == 0 ? success_ : failure_; \
	} \
	op = BeginFor(sock, overlapped, routine_); \
	if (op == NULL) \
		return failure_; \
	op->sends = sends_; \
	ov = &op->below; \
	rc = CALL; \
	return BegunFor(op, rc) == 0 ? success_ : failure_

static BOOL PASCAL LayerDisconnectEx(SOCKET s, LPOVERLAPPED overlapped, DWORD flags, DWORD reserved)
{
	EXTENSION(TRUE, FALSE, LPFN_DISCONNECTEX, disconnectex, FALSE, NULL,
		  below(sock->lower, ov, flags, reserved) ? 0 : SOCKET_ERROR);
}

static BOOL PASCAL LayerTransmitFile(SOCKET s, HANDLE file, DWORD bytes, DWORD each, LPOVERLAPPED overlapped, LPTRANSMIT_FILE_BUFFERS around, DWORD flags)
{
	/* Where in the file to begin is in the client's OVERLAPPED. */
	DWORD offset = overlapped != NULL ? overlapped->Offset : 0, high = overlapped != NULL ? overlapped->OffsetHigh : 0;

	EXTENSION(TRUE, FALSE, LPFN_TRANSMITFILE, transmitfile, TRUE, NULL,
		  ((ov != NULL ? (void)(ov->Offset = offset, ov->OffsetHigh = high) : (void)0),
		   below(sock->lower, file, bytes, each, ov, around, flags) ? 0 : SOCKET_ERROR));
}

static BOOL PASCAL LayerTransmitPackets(SOCKET s, LPTRANSMIT_PACKETS_ELEMENT elements, DWORD count, DWORD each, LPOVERLAPPED overlapped, DWORD flags)
{
	EXTENSION(TRUE, FALSE, LPFN_TRANSMITPACKETS, transmitpackets, TRUE, NULL,
		  below(sock->lower, elements, count, each, ov, flags) ? 0 : SOCKET_ERROR);
}

static INT PASCAL LayerRecvMsg(SOCKET s, LPWSAMSG message, LPDWORD received, LPWSAOVERLAPPED overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
	EXTENSION(0, SOCKET_ERROR, LPFN_WSARECVMSG, recvmsg_, FALSE, routine,
		  below(sock->lower, message, ov == NULL ? received : &op->entries[0], ov, NULL));
}

static INT PASCAL LayerSendMsg(SOCKET s, LPWSAMSG message, DWORD flags, LPDWORD sent, LPWSAOVERLAPPED overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine)
{
	EXTENSION(0, SOCKET_ERROR, LPFN_WSASENDMSG, sendmsg_, TRUE, routine,
		  below(sock->lower, message, flags, ov == NULL ? sent : &op->entries[0], ov, NULL));
}

static INT WSAAPI LayerPoll(LPWSAPOLLFD fds, ULONG count, INT timeout)
{
	WSAPOLLFD *lower = calloc(count + 1, sizeof *lower);
	SOCK **found = calloc(count + 1, sizeof *found);
	LPFN_WSAPOLL below = NULL;
	INT n = SOCKET_ERROR;
	ULONG i;
	int error;

	WSASetLastError(lower == NULL || found == NULL ? WSAENOBUFS : WSAEINVAL);
	for (i = 0; lower != NULL && found != NULL && i < count; i++) {
		lower[i] = fds[i];
		found[i] = fds[i].fd != INVALID_SOCKET ? Acquire(fds[i].fd, &error) : NULL;
		if (found[i] != NULL) {
			lower[i].fd = found[i]->lower;
			if (below == NULL)
				below = (LPFN_WSAPOLL)Below(found[i], &poll_);
		}
	}
	if (below != NULL)
		n = below(lower, count, timeout);
	for (i = 0; found != NULL && i < count; i++) {
		if (n != SOCKET_ERROR)
			fds[i].revents = lower[i].revents;
		if (found[i] != NULL)
			Release(found[i]);
	}
	free(lower);
	free(found);
	return n;
}

int Extension(SOCK *sock, const void *id, DWORD size, void *out, DWORD room, LPDWORD returned, LPINT lpErrno)
{
	const struct {
		const GUID *id;
		FUNCTION function;
	} own[] = {
		{&acceptex, (FUNCTION)LayerAcceptEx},
		{&connectex, (FUNCTION)LayerConnectEx},
		{&disconnectex, (FUNCTION)LayerDisconnectEx},
		{&transmitfile, (FUNCTION)LayerTransmitFile},
		{&transmitpackets, (FUNCTION)LayerTransmitPackets},
		{&recvmsg_, (FUNCTION)LayerRecvMsg},
		{&sendmsg_, (FUNCTION)LayerSendMsg},
		{&poll_, (FUNCTION)LayerPoll},
		{&getsockaddrs, NULL}, /* has no socket: the one below will do */
	};
	FUNCTION function;
	size_t i;

	if (id == NULL || size < sizeof(GUID) || out == NULL || room < sizeof function || returned == NULL) {
		*lpErrno = WSAEFAULT;
		return SOCKET_ERROR;
	}
	for (i = 0; i < sizeof own / sizeof *own; i++)
		if (memcmp(own[i].id, id, sizeof(GUID)) == 0) {
			/* Only what is there below can be there here. */
			function = Below(sock, own[i].id);
			if (function == NULL) {
				*lpErrno = WSAGetLastError();
				return SOCKET_ERROR;
			}
			if (own[i].function != NULL)
				function = own[i].function;
			memcpy(out, &function, sizeof function);
			*returned = sizeof function;
			return 0;
		}
	*lpErrno = WSAEINVAL;
	return SOCKET_ERROR;
}
