/*
 * A layered provider with handles of its own.
 *
 *	sockets.c     WSPStartup, WSPCleanup, and the functions that make and close sockets
 *	calls.c       the functions that only exchange the handle for the one below
 *	overlapped.c  overlapped operations: the layer's OVERLAPPED below, the client's above
 *	messages.c    WSPAsyncSelect, by a hidden window
 *	extensions.c  AcceptEx and the others
 */
#ifndef NONIFS_H
#define NONIFS_H

#include <mswsock.h>
#include <stdlib.h>
#include <string.h>
#include <ws2spi.h>

#include "next.h"

/*
 * What the layer keeps of a socket: the context of its handle. Whoever uses it
 * holds a reference; the handle is closed, and the memory freed, with the last,
 * which may be that of an operation under way long after closesocket.
 */
typedef struct SOCK {
	struct SOCK *next, **link; /* all of them */
	LONG refs;
	BOOL closed; /* by the client */
	NEXT *below;
	SOCKET upper, lower;
	BOOL overlapped; /* the client has asked for it; if not, its OVERLAPPEDs do not count */
	BOOL port; /* the lower socket is associated with the layer's port */
	HWND window; /* of WSPAsyncSelect, NULL without one */
	UINT message;
	struct OPERATION *operations;
	LONG64 sent, received;
} SOCK;

/* An overlapped operation of the layer below, for one of the client's. */
typedef struct OPERATION {
	WSAOVERLAPPED below; /* first, since that is what the port gives back */
	struct OPERATION *next, **link; /* of its socket */
	SOCK *sock;
	LPWSAOVERLAPPED client;
	LPWSAOVERLAPPED_COMPLETION_ROUTINE routine;
	WSATHREADID thread;
	BOOL opened; /* thread is from WPUOpenCurrentThread */
	BOOL sends;
	DWORD flags;
	DWORD entries[2]; /* where a call below stores what nobody wants to know */
} OPERATION;

extern CRITICAL_SECTION lock; /* guards SOCKs, their lists, and the next four */
extern WSPUPCALLTABLE upcalls;
extern SOCK *socks;
extern BOOL ending; /* the last WSPCleanup is at work */

extern HINSTANCE module; /* this library */

/* The provider below in a chain, started; NULL: *lpErrno. */
NEXT *FindNext(LPWSAPROTOCOL_INFOW info, LPINT lpErrno);

/* The socket of a handle, with a reference; NULL: WSAENOTSOCK. */
SOCK *Acquire(SOCKET s, LPINT lpErrno);
/* The socket that has this one below it. */
SOCK *AcquireLower(SOCKET lower);
void Release(SOCK *sock);
/* A handle for a lower socket, which is closed if there can be none. */
SOCKET Register(NEXT *below, SOCKET lower, const SOCK *parent, BOOL overlapped, LPINT lpErrno);

/* calls.c: the table's functions that are there. */
void FillCalls(LPWSPPROC_TABLE table);

/* overlapped.c */
void FillOverlapped(LPWSPPROC_TABLE table);
BOOL StartWorker(void);
void StopWorker(void);
/* An operation for the client's OVERLAPPED, whose reference to sock it takes
 * over; NULL: *lpErrno, and the reference is given back. */
OPERATION *Begin(SOCK *sock, LPWSAOVERLAPPED client, LPWSAOVERLAPPED_COMPLETION_ROUTINE routine, LPWSATHREADID thread, LPINT lpErrno);
/* Ends the start of an operation: rc and error are those of the call below. What
 * it returns, the client gets, with *lpErrno. */
int Begun(OPERATION *op, int rc, int error, LPINT lpErrno);
/* Cancels operations of a socket by the ioctl of this host's CancelIo. */
int Cancel(SOCK *sock, const void *request, DWORD size, LPINT lpErrno);

/* messages.c */
int WSPAPI LayerAsyncSelect(SOCKET s, HWND window, unsigned int message, LONG events, LPINT lpErrno);
void StopMessages(void);
/* Delivers what came for a lower socket before it was registered. */
void DeliverEarly(SOCK *sock);

/* extensions.c: answers SIO_GET_EXTENSION_FUNCTION_POINTER. */
int Extension(SOCK *sock, const void *id, DWORD size, void *out, DWORD room, LPDWORD returned, LPINT lpErrno);

/* The host's ioctl behind CancelIo and CancelIoEx. */
#define SIO_CANCEL_IO 0x98005543
typedef struct CANCEL_REQUEST {
	ULONG_PTR Overlapped; /* 0: all */
	ULONG_PTR Thread;     /* 0: of all threads */
} CANCEL_REQUEST;

#endif
