/* Windows that are never shown, and their messages. */
#include "check.h"

static HWND main_window;
static char seen[256];

static void note(const char *what)
{
	strcat(seen, what);
	strcat(seen, " ");
}

#define SEEN(text) (strcmp(seen, text) ? (fprintf(stderr, "seen: %s\n", seen), CHECK(!"what was seen")) : (void)(*seen = 0))

static LRESULT CALLBACK procedure(HWND h, UINT message, WPARAM wparam, LPARAM lparam)
{
	const CREATESTRUCTA *c = (const CREATESTRUCTA *)lparam;

	CHECK(IsWindow(h));
	switch (message) {
	case WM_NCCREATE:
		CHECK(strcmp(c->lpszName, "title") == 0 && c->dwExStyle == 4 && c->cx == 3 && c->cy == 4 && c->x == 1 && c->y == 2);
		note("nccreate");
		return c->lpCreateParams != (LPVOID)1;
	case WM_CREATE:
		note("create");
		SetWindowLongPtrA(h, GWLP_USERDATA, (LONG_PTR)c->lpCreateParams);
		return c->lpCreateParams == (LPVOID)2 ? -1 : 0;
	case WM_DESTROY:
		note(h == main_window ? "destroy" : "destroy-other");
		CHECK(DestroyWindow(h)); /* under way already */
		return 0;
	case WM_NCDESTROY:
		note("ncdestroy");
		return 0;
	case WM_USER + 5:
		return (LRESULT)(wparam + lparam + GetWindowLongPtrA(h, GWLP_USERDATA));
	}
	return DefWindowProcA(h, message, wparam, lparam);
}

static HWND create(LPVOID parameter, HWND parent)
{
	return CreateWindowExA(4, "Upcall.Test", "title", WS_OVERLAPPEDWINDOW, 1, 2, 3, 4, parent, NULL, NULL, parameter);
}

static void classes(void)
{
	WNDCLASSA c = {0};
	WNDCLASSEXA x = {0};
	ATOM a;

	FAILS((ULONG_PTR)create(NULL, NULL), ERROR_CANNOT_FIND_WND_CLASS);
	c.lpszClassName = "Upcall.Test";
	FAILS(RegisterClassA(&c), ERROR_INVALID_PARAMETER);
	c.lpfnWndProc = procedure;
	c.cbWndExtra = 16;
	a = RegisterClassA(&c);
	CHECK(a >= 0xC000);
	FAILS(RegisterClassA(&c), ERROR_CLASS_ALREADY_EXISTS);
	x.lpszClassName = "Other";
	x.lpfnWndProc = DefWindowProcA;
	FAILS(RegisterClassExA(&x), ERROR_INVALID_PARAMETER);
	x.cbSize = sizeof x;
	CHECK(RegisterClassExA(&x));
	CHECK(UnregisterClassW(u"other", NULL));
	FAILS(UnregisterClassA("Other", NULL), ERROR_CLASS_DOES_NOT_EXIST);
	main_window = CreateWindowExA(4, (LPCSTR)(ULONG_PTR)a, "title", 0, 1, 2, 3, 4, HWND_MESSAGE, NULL, GetModuleHandleA(NULL), (LPVOID)40);
	CHECK(main_window);
	SEEN("nccreate create ");
	FAILS(UnregisterClassA("UPCALL.test", NULL), ERROR_CLASS_HAS_WINDOWS);
}

static void births_and_deaths(void)
{
	HWND h;

	CHECK(create((LPVOID)1, NULL) == NULL);
	SEEN("nccreate ncdestroy ");
	CHECK(create((LPVOID)2, NULL) == NULL);
	SEEN("nccreate create destroy-other ncdestroy ");
	FAILS((ULONG_PTR)create(NULL, (HWND)main_window + 64), ERROR_INVALID_WINDOW_HANDLE);

	h = create((LPVOID)3, main_window);
	CHECK(h && IsWindow(h) && h != main_window);
	CHECK(PostMessageA(h, WM_USER, 0, 0));
	EQUAL(SendMessageA(h, WM_CLOSE, 0, 0), 0);
	SEEN("nccreate create destroy-other ncdestroy ");
	CHECK(!IsWindow(h));
	FAILS(DestroyWindow(h), ERROR_INVALID_WINDOW_HANDLE);
	FAILS(PostMessageA(h, WM_USER, 0, 0), ERROR_INVALID_WINDOW_HANDLE);
}

static void words(void)
{
	EQUAL(GetWindowLongPtrA(main_window, GWLP_USERDATA), 40);
	EQUAL(SetWindowLongPtrA(main_window, 8, 7), 0);
	EQUAL(SetWindowLongPtrW(main_window, 8, 9), 7);
	FAILS(GetWindowLongPtrA(main_window, 9), ERROR_INVALID_INDEX);
	FAILS(GetWindowLongPtrA(NULL, 0), ERROR_INVALID_WINDOW_HANDLE);
	EQUAL(SetWindowLongPtrA(main_window, GWLP_WNDPROC, (LONG_PTR)procedure), (LONG_PTR)procedure);
}

static DWORD WINAPI post(LPVOID p)
{
	DWORD main_thread = (DWORD)(ULONG_PTR)p;

	for (int i = 1; i <= 3; i++)
		CHECK(PostMessageA(main_window, WM_USER + 5, i, 100));
	FAILS(DestroyWindow(main_window), ERROR_ACCESS_DENIED);
	FAILS(SendMessageA(main_window, WM_USER, 0, 0), ERROR_NOT_SUPPORTED);
	CHECK(PostThreadMessageA(main_thread, WM_APP, 1, 2));
	CHECK(PostThreadMessageA(main_thread, WM_QUIT, 55, 0));
	return 0;
}

static void loop(void)
{
	HANDLE t = CreateThread(NULL, 0, post, (LPVOID)(ULONG_PTR)GetCurrentThreadId(), 0, NULL);
	MSG m;
	int n = 0, more;

	while ((more = GetMessageA(&m, NULL, 0, 0)) > 0) {
		TranslateMessage(&m);
		if (!m.hwnd) {
			CHECK(m.message == WM_APP && m.wParam == 1 && m.lParam == 2);
			EQUAL(DispatchMessageA(&m), 0);
			continue;
		}
		CHECK(m.hwnd == main_window && m.time != 0);
		EQUAL(DispatchMessageA(&m), 100 + 40 + ++n);
	}
	EQUAL(more, 0);
	EQUAL(m.wParam, 55);
	EQUAL(n, 3);
	EQUAL(WaitForSingleObject(t, INFINITE), WAIT_OBJECT_0);
	CHECK(CloseHandle(t));

	FAILS(PostThreadMessageA(1, WM_APP, 0, 0), ERROR_INVALID_THREAD_ID);
	CHECK(!PeekMessageA(&m, NULL, 0, 0, PM_REMOVE));
	CHECK(PostMessageA(main_window, WM_USER + 1, 0, 0));
	CHECK(PostMessageA(NULL, WM_USER + 2, 0, 0));
	CHECK(!PeekMessageA(&m, NULL, WM_USER + 3, WM_USER + 4, PM_REMOVE));
	CHECK(PeekMessageA(&m, (HWND)-1, 0, 0, PM_NOREMOVE) && m.message == WM_USER + 2);
	CHECK(PeekMessageW(&m, NULL, WM_USER + 2, WM_USER + 2, PM_REMOVE) && !m.hwnd);
	EQUAL(GetMessageW(&m, main_window, 0, 0), 1);
	EQUAL(m.message, WM_USER + 1);
	FAILS(PeekMessageA(&m, (HWND)main_window + 64, 0, 0, PM_REMOVE), ERROR_INVALID_WINDOW_HANDLE);
	SetLastError(0);
	EQUAL(GetMessageA(&m, (HWND)main_window + 64, 0, 0), -1);
	EQUAL(GetLastError(), ERROR_INVALID_WINDOW_HANDLE);
}

static LRESULT CALLBACK wide(HWND h, UINT message, WPARAM wparam, LPARAM lparam)
{
	const CREATESTRUCTW *c = (const CREATESTRUCTW *)lparam;

	if (message == WM_CREATE) {
		EQUAL(lstrcmpW(c->lpszName, u"\u00fc"), 0);
		note("wide");
	}
	return DefWindowProcW(h, message, wparam, lparam);
}

static DWORD WINAPI leaves_a_window(LPVOID p)
{
	*(HWND *)p = CreateWindowExA(0, "Wide", "\xc3\xbc", WS_VISIBLE, CW_USEDEFAULT, 0, CW_USEDEFAULT, 0, HWND_MESSAGE, NULL, NULL, NULL);
	CHECK(*(HWND *)p && IsWindow(*(HWND *)p));
	return 0;
}

static void wide_and_gone(void)
{
	WNDCLASSW c = {0};
	HANDLE t;
	HWND h = NULL;

	c.lpszClassName = u"Wide";
	c.lpfnWndProc = wide;
	CHECK(RegisterClassW(&c));
	t = CreateThread(NULL, 0, leaves_a_window, &h, 0, NULL);
	EQUAL(WaitForSingleObject(t, INFINITE), WAIT_OBJECT_0);
	SEEN("wide ");
	CHECK(!IsWindow(h));
	CHECK(CloseHandle(t));
	while (!UnregisterClassW(u"Wide", NULL)) /* the thread's last steps */
		Sleep(1);
	h = CreateWindowExW(0, u"Static", NULL, 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL);
	CHECK(h && DestroyWindow(h));
}

/* WSAAsyncSelect's messages come to the procedure. */
static SOCKET one, other;
static int reads, closes;

static LRESULT CALLBACK notified(HWND h, UINT message, WPARAM wparam, LPARAM lparam)
{
	char buffer[8];

	if (message != WM_USER + 9)
		return DefWindowProcA(h, message, wparam, lparam);
	CHECK((SOCKET)wparam == one && WSAGETSELECTERROR(lparam) == 0);
	switch (WSAGETSELECTEVENT(lparam)) {
	case FD_READ:
		reads++;
		EQUAL(recv(one, buffer, sizeof buffer, 0), 5);
		OK(closesocket(other));
		break;
	case FD_CLOSE:
		closes++;
		PostQuitMessage(3);
	}
	return 0;
}

static void sockets(void)
{
	MSG m;

	SetWindowLongPtrA(main_window, GWLP_WNDPROC, (LONG_PTR)notified);
	pair(&one, &other);
	OK(WSAAsyncSelect(one, main_window, WM_USER + 9, FD_READ | FD_CLOSE));
	EQUAL(send(other, "hello", 5, 0), 5);
	while (GetMessageA(&m, NULL, 0, 0) > 0)
		DispatchMessageA(&m);
	EQUAL(m.wParam, 3);
	CHECK(reads == 1 && closes == 1);
	OK(closesocket(one));
	SetWindowLongPtrA(main_window, GWLP_WNDPROC, (LONG_PTR)procedure);
}

int main(void)
{
	classes();
	births_and_deaths();
	words();
	loop();
	wide_and_gone();
	start(MAKEWORD(2, 2));
	sockets();
	OK(WSACleanup());
	create((LPVOID)3, main_window);
	*seen = 0;
	CHECK(DestroyWindow(main_window)); /* with the one that it owns */
	SEEN("destroy destroy-other ncdestroy ncdestroy ");
	CHECK(UnregisterClassA("Upcall.Test", NULL));
	return 0;
}
