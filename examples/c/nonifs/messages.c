/*
 * WSPAsyncSelect.
 *
 * The provider below posts its messages with its own socket, which means nothing
 * to the client. So they go to a window of the layer's own, which posts each on
 * with the client's socket. The window belongs to a thread that does nothing
 * else.
 */
#include "nonifs.h"

#define WM_LAYER (WM_USER + 1)
#define WM_LAYER_STOP (WM_USER + 2)

/*
 * Messages for sockets that nobody knows yet: an accepted socket has the
 * selection of its listener at once, before the layer has made a handle for it.
 */
enum { EARLY = 256 };
static struct {
	SOCKET lower;
	LPARAM event;
} early[EARLY]; /* a ring, of which the oldest are lost; guarded by lock */
static unsigned earlies;

static HANDLE thread, ready;
static HWND window;

static void Deliver(SOCK *sock, LPARAM event)
{
	HWND to;
	UINT message;

	EnterCriticalSection(&lock);
	to = sock->window;
	message = sock->message;
	LeaveCriticalSection(&lock);
	/* NULL: the selection has ended, or is one with an event, meanwhile. */
	if (to != NULL)
		upcalls.lpWPUPostMessage(to, message, (WPARAM)sock->upper, event);
}

void DeliverEarly(SOCK *sock)
{
	LPARAM events[EARLY];
	unsigned i, n = 0;

	EnterCriticalSection(&lock);
	for (i = 0; i < EARLY; i++) {
		unsigned k = (earlies + i) % EARLY; /* the oldest first */

		if (early[k].lower == sock->lower && early[k].event != 0) {
			events[n++] = early[k].event;
			early[k].event = 0;
		}
	}
	LeaveCriticalSection(&lock);
	if (sock->window == NULL)
		return; /* they were of an earlier socket of this number */
	for (i = 0; i < n; i++)
		Deliver(sock, events[i]);
}

static LRESULT CALLBACK WindowProc(HWND hwnd, UINT message, WPARAM wParam, LPARAM lParam)
{
	SOCK *sock;

	if (message == WM_LAYER_STOP) {
		DestroyWindow(hwnd);
		return 0;
	}
	if (message == WM_DESTROY) {
		PostQuitMessage(0);
		return 0;
	}
	if (message != WM_LAYER)
		return DefWindowProcW(hwnd, message, wParam, lParam);
	EnterCriticalSection(&lock);
	sock = AcquireLower((SOCKET)wParam);
	if (sock == NULL) {
		early[earlies % EARLY].lower = (SOCKET)wParam;
		early[earlies % EARLY].event = lParam;
		earlies++;
	}
	LeaveCriticalSection(&lock);
	if (sock != NULL) {
		Deliver(sock, lParam);
		Release(sock);
	}
	return 0;
}

static DWORD WINAPI Pump(LPVOID unused)
{
	static const WCHAR name[] = {'n', 'o', 'n', 'i', 'f', 's', 0};
	WNDCLASSW class;
	MSG message;

	(void)unused;
	memset(&class, 0, sizeof class);
	class.lpfnWndProc = WindowProc;
	class.lpszClassName = name;
	/* The class is this library's, whatever others call theirs. */
	class.hInstance = module;
	RegisterClassW(&class);
	window = CreateWindowExW(0, name, name, 0, 0, 0, 0, 0, HWND_MESSAGE, NULL, module, NULL);
	SetEvent(ready);
	while (window != NULL && GetMessageW(&message, NULL, 0, 0) > 0)
		DispatchMessageW(&message);
	UnregisterClassW(name, module);
	return 0;
}

/* Makes the window, with the first selection. */
static HWND HiddenWindow(void)
{
	HWND made;

	EnterCriticalSection(&lock);
	if (thread == NULL) {
		ready = CreateEventW(NULL, TRUE, FALSE, NULL);
		thread = ready != NULL ? CreateThread(NULL, 0, Pump, NULL, 0, NULL) : NULL;
		if (thread != NULL)
			WaitForSingleObject(ready, INFINITE);
		if (ready != NULL)
			CloseHandle(ready);
	}
	made = thread != NULL ? window : NULL;
	LeaveCriticalSection(&lock);
	return made;
}

void StopMessages(void)
{
	if (thread == NULL)
		return;
	if (window != NULL)
		PostMessageW(window, WM_LAYER_STOP, 0, 0);
	WaitForSingleObject(thread, INFINITE);
	CloseHandle(thread);
	thread = NULL;
	window = NULL;
}

int WSPAPI LayerAsyncSelect(SOCKET s, HWND to, unsigned int message, LONG events, LPINT lpErrno)
{
	SOCK *sock = Acquire(s, lpErrno);
	HWND hidden, before;
	UINT messageBefore;
	int rc;

	if (sock == NULL)
		return SOCKET_ERROR;
	if (events != 0 && !IsWindow(to)) {
		*lpErrno = WSAEINVAL;
		Release(sock);
		return SOCKET_ERROR;
	}
	hidden = HiddenWindow();
	if (hidden == NULL) {
		*lpErrno = WSAENOBUFS;
		Release(sock);
		return SOCKET_ERROR;
	}
	/* First, for the messages may come before the call below returns. */
	EnterCriticalSection(&lock);
	before = sock->window;
	messageBefore = sock->message;
	sock->window = events != 0 ? to : NULL;
	sock->message = message;
	LeaveCriticalSection(&lock);
	rc = sock->below->table.lpWSPAsyncSelect(sock->lower, hidden, WM_LAYER, events, lpErrno);
	if (rc == SOCKET_ERROR) {
		EnterCriticalSection(&lock);
		sock->window = before;
		sock->message = messageBefore;
		LeaveCriticalSection(&lock);
	}
	Release(sock);
	return rc;
}
