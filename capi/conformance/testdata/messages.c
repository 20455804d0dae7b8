/* Network events as window messages. */
#include "behaviour.h"

enum { WM_SOCKET = WM_USER + 1 };

static HWND new_window(void)
{
	WNDCLASSA c;
	HWND w;

	memset(&c, 0, sizeof c);
	c.lpfnWndProc = DefWindowProcA;
	c.lpszClassName = "Behaviour";
	RegisterClassA(&c);
	w = CreateWindowExA(0, "Behaviour", "", 0, 0, 0, 0, 0, HWND_MESSAGE, 0, 0, 0);
	CHECK(w != 0);
	return w;
}

/* Waits for the message of one event and returns its error. */
static int message(HWND w, SOCKET s, int event)
{
	MSG m;
	DWORD begin = GetTickCount();

	while (!PeekMessageA(&m, w, 0, 0, PM_REMOVE)) {
		CHECK(GetTickCount() - begin < PATIENCE);
		Sleep(1);
	}
	CHECK(m.hwnd == w);
	EQUAL(m.message, WM_SOCKET);
	EQUAL(m.wParam, s);
	EQUAL(WSAGETSELECTEVENT(m.lParam), event);
	return WSAGETSELECTERROR(m.lParam);
}

BEHAVIOUR(81)
{
	SOCKET l, s, accepted;
	struct sockaddr_in a;
	HWND w;
	u_long off = 0;

	start(MAKEWORD(2, 2));
	w = new_window();
	l = listener();
	a = address_of(l);
	OK(WSAAsyncSelect(l, w, WM_SOCKET, FD_ACCEPT));
	s = socket(AF_INET, SOCK_STREAM, 0);
	OK(WSAAsyncSelect(s, w, WM_SOCKET, FD_CONNECT));
	FAILS(ioctlsocket(s, FIONBIO, &off), WSAEINVAL);
	if (connect(s, (struct sockaddr *)&a, sizeof a))
		EQUAL(WSAGetLastError(), WSAEWOULDBLOCK);
	{
		MSG m;
		int accepts = 0, connects = 0;
		DWORD begin = GetTickCount();

		while (!accepts || !connects) {
			CHECK(GetTickCount() - begin < PATIENCE);
			if (!PeekMessageA(&m, 0, 0, 0, PM_REMOVE)) {
				Sleep(1);
				continue;
			}
			EQUAL(m.message, WM_SOCKET);
			EQUAL(WSAGETSELECTERROR(m.lParam), 0);
			accepts += m.wParam == l && WSAGETSELECTEVENT(m.lParam) == FD_ACCEPT;
			connects += m.wParam == s && WSAGETSELECTEVENT(m.lParam) == FD_CONNECT;
		}
		EQUAL(accepts, 1);
		EQUAL(connects, 1);
	}
	accepted = accept(l, 0, 0);
	CHECK(accepted != INVALID_SOCKET);
	OK(WSAAsyncSelect(s, w, WM_SOCKET, FD_READ | FD_CLOSE));
	OK(WSAAsyncSelect(accepted, w, 0, 0));
	say(accepted, "xy");
	EQUAL(message(w, s, FD_READ), 0);
	hear(s, "x");
	EQUAL(message(w, s, FD_READ), 0); /* data is left */
	hear(s, "y");
	OK(closesocket(accepted));
	EQUAL(message(w, s, FD_CLOSE), 0);
	FAILS(WSAAsyncSelect(s, (HWND)0x1234, WM_SOCKET, FD_READ), WSAEINVAL);
	OK(closesocket(s));
	OK(closesocket(l));
	CHECK(DestroyWindow(w));
}

BEHAVIOUR(90)
{
	SOCKET one, other;
	HWND w;
	MSG m;

	start(MAKEWORD(2, 2));
	w = new_window();
	pair(&one, &other);
	OK(WSAAsyncSelect(one, w, WM_SOCKET, FD_READ));
	OK(closesocket(one));
	send(other, "x", 1, 0);
	OK(closesocket(other));
	Sleep(20);
	CHECK(!PeekMessageA(&m, w, 0, 0, PM_REMOVE));
	CHECK(DestroyWindow(w));
}
