/* The table of upcalls, and events by it. */
#include "provider.h"

/* The table that a start of a provider got. */
static WSPUPCALLTABLE started(void)
{
	struct fake *f = provider(0, tcp());

	start(MAKEWORD(2, 2));
	stream();
	EQUAL(f->starts, 1);
	return f->upcalls;
}

BEHAVIOUR(1)
{
	WSPUPCALLTABLE u = started();
	void **all = (void **)&u;
	int i, j, error;
	WSAEVENT e;

	EQUAL(sizeof u, 15 * sizeof(void *));
	for (i = 0; i < 15; i++) {
		CHECK(all[i] != 0);
		for (j = 0; j < i; j++)
			CHECK(all[i] != all[j]);
	}
	/* In the documented order: 3 makes an event, 13 sets it, 12 resets it, 1 closes it. */
	e = ((LPWPUCREATEEVENT)all[2])(&error);
	CHECK(!is_set(e));
	CHECK(((LPWPUSETEVENT)all[12])(e, &error));
	CHECK(is_set(e));
	CHECK(((LPWPURESETEVENT)all[11])(e, &error));
	CHECK(!is_set(e));
	CHECK(((LPWPUCLOSEEVENT)all[0])(e, &error));
	FAILS(WSASetEvent(e), WSA_INVALID_HANDLE);
}

BEHAVIOUR(2)
{
	WSPUPCALLTABLE u = started();
	void **all = (void **)&u;
	int i, error;
	SOCKET s = stream();
	OVERLAPPED ov;

	for (i = 0; i < 15; i++)
		CHECK(all[i] != (void *)WPUCompleteOverlappedRequest);
	memset(&ov, 0, sizeof ov);
	ov.Internal = WSS_OPERATION_IN_PROGRESS;
	OK(WPUCompleteOverlappedRequest(s, &ov, 0, 1, &error));
	EQUAL(ov.InternalHigh, 1);
}

static WSPUPCALLTABLE first;
static int created;

static SOCKET WSPAPI create(DWORD id, DWORD_PTR context, LPINT error)
{
	created++;
	return first.lpWPUCreateSocketHandle(id, context, error);
}

/* A provider written in Go is started again, with a table of this program's. */
BEHAVIOUR(3)
{
	GUID id = id_of(1);
	struct fake *f = provider(0, udp());
	WSAPROTOCOL_INFOW info = tcp();
	WSPUPCALLTABLE second;
	WSPPROC_TABLE table;
	LPWSPSTARTUP startup;
	WSPDATA data;
	HMODULE m;
	int error;

	OK(WSCInstallProvider(&id, wide("go:memory"), &info, 1, &error));
	start(MAKEWORD(2, 2));
	stream();
	CHECK(socket(AF_INET, SOCK_DGRAM, 0) != INVALID_SOCKET);
	first = second = f->upcalls;
	second.lpWPUCreateSocketHandle = create;
	m = LoadLibraryA("go:memory");
	CHECK(m != 0);
	startup = (LPWSPSTARTUP)(void *)GetProcAddress(m, "WSPStartup");
	CHECK(startup != 0);
	OK(startup(MAKEWORD(2, 2), &data, &info, second, &table));
	stream();
	EQUAL(created, 1);
	OK(table.lpWSPCleanup(&error));
}

BEHAVIOUR(5)
{
	WSPUPCALLTABLE u = started();
	int error = 77;
	WSAEVENT e = u.lpWPUCreateEvent(&error);

	EQUAL(u.lpWPUSetEvent(e, &error), TRUE);
	EQUAL(u.lpWPUSetEvent(e, &error), TRUE);
	CHECK(is_set(e));
	EQUAL(u.lpWPUResetEvent(e, &error), TRUE);
	EQUAL(u.lpWPUResetEvent(e, &error), TRUE);
	CHECK(!is_set(e));
	EQUAL(error, 77);
	CHECK(u.lpWPUCloseEvent(e, &error));
}

BEHAVIOUR(7)
{
	WSPUPCALLTABLE u = started();
	int error, i;
	WSAEVENT bad[5] = {0, (WSAEVENT)4, (WSAEVENT)-1, (WSAEVENT)stream(), u.lpWPUCreateEvent(&error)};

	CHECK(u.lpWPUCloseEvent(bad[4], &error));
	for (i = 0; i < 5; i++) {
		REFUSES(u.lpWPUSetEvent(bad[i], &error), WSA_INVALID_HANDLE);
		REFUSES(u.lpWPUResetEvent(bad[i], &error), WSA_INVALID_HANDLE);
		REFUSES(u.lpWPUCloseEvent(bad[i], &error), WSA_INVALID_HANDLE);
	}
}

static WSAEVENT selected;

static int WSPAPI event_select(SOCKET s, WSAEVENT e, LONG mask, LPINT error)
{
	selected = e;
	return 0;
}

BEHAVIOUR(9)
{
	struct fake *f = provider(0, tcp());
	WSAEVENT e;
	SOCKET s;
	int error;

	f->table.lpWSPEventSelect = event_select;
	start(MAKEWORD(2, 2));
	s = stream();
	e = f->upcalls.lpWPUCreateEvent(&error);
	OK(WSAEventSelect(s, e, FD_READ));
	CHECK(selected == e);
	CHECK(!is_set(e));
	CHECK(f->upcalls.lpWPUSetEvent(selected, &error));
	CHECK(is_set(e));
	CHECK(WSACloseEvent(e));
	REFUSES(f->upcalls.lpWPUSetEvent(e, &error), WSA_INVALID_HANDLE);
	e = new_event();
	CHECK(f->upcalls.lpWPUSetEvent(e, &error));
	CHECK(is_set(e));
	CHECK(f->upcalls.lpWPUCloseEvent(e, &error));
	FAILS(WSAResetEvent(e), WSA_INVALID_HANDLE);
}

static BOOL CALLBACK hook(void)
{
	return FALSE;
}

BEHAVIOUR(102)
{
	struct fake *f = provider(0, tcp());
	LPBLOCKINGCALLBACK callback = (LPBLOCKINGCALLBACK)1;
	DWORD_PTR context = 1;
	int error;

	start(MAKEWORD(1, 1));
	stream();
	OK(f->upcalls.lpWPUQueryBlockingCallback(f->ids[0], &callback, &context, &error));
	CHECK(callback == 0);
	REFUSES(f->upcalls.lpWPUQueryBlockingCallback(f->ids[0], 0, &context, &error), WSAEFAULT);
	REFUSES(f->upcalls.lpWPUQueryBlockingCallback(f->ids[0], &callback, 0, &error), WSAEFAULT);
	REFUSES(f->upcalls.lpWPUQueryBlockingCallback(4711, &callback, &context, &error), WSAEINVAL);
	CHECK(WSASetBlockingHook((FARPROC)(void *)hook) != 0);
	OK(f->upcalls.lpWPUQueryBlockingCallback(f->ids[0], &callback, &context, &error));
	CHECK(callback != 0);
	OK(WSAUnhookBlockingHook());
	OK(f->upcalls.lpWPUQueryBlockingCallback(f->ids[0], &callback, &context, &error));
	CHECK(callback == 0);
	OK(WSACleanup());
	REFUSES(f->upcalls.lpWPUQueryBlockingCallback(f->ids[0], &callback, &context, &error), WSANOTINITIALISED);
}
