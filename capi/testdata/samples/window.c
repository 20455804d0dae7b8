/* WSAAsyncSelect and a message loop; text in both forms. */
#include <windows.h>

#include <winsock2.h>

#include <tchar.h>

#define WM_SOCKET (WM_USER + 1)

static LRESULT CALLBACK procedure(HWND window, UINT message, WPARAM wParam, LPARAM lParam)
{
	switch (message) {
	case WM_SOCKET:
		switch (WSAGETSELECTEVENT(lParam)) {
		case FD_CONNECT:
			if (WSAGETSELECTERROR(lParam))
				PostQuitMessage(1);
			break;
		case FD_CLOSE:
			closesocket((SOCKET)wParam);
			DestroyWindow(window);
			break;
		}
		return 0;
	case WM_DESTROY:
		PostQuitMessage(0);
		return 0;
	}
	return DefWindowProc(window, message, wParam, lParam);
}

int main(void)
{
	WNDCLASS wc = {0, procedure, 0, 0, NULL, NULL, NULL, NULL, NULL, TEXT("sockets")};
	HWND window;
	MSG msg;
	SOCKET s = socket(AF_INET, SOCK_STREAM, 0);
	const TCHAR *text = _T("text");
	WCHAR wide[64];

	wc.hInstance = GetModuleHandle(NULL);
	RegisterClass(&wc);
	window = CreateWindow(TEXT("sockets"), text, WS_OVERLAPPEDWINDOW, CW_USEDEFAULT, 0, CW_USEDEFAULT, 0, HWND_MESSAGE, NULL, wc.hInstance, NULL);
	MultiByteToWideChar(CP_UTF8, 0, "text", -1, wide, 64);
	WSAAsyncSelect(s, window, WM_SOCKET, FD_CONNECT | FD_READ | FD_CLOSE);
	while (GetMessage(&msg, NULL, 0, 0) > 0) {
		TranslateMessage(&msg);
		DispatchMessage(&msg);
	}
	return (int)msg.wParam + lstrlen(text) + lstrlenW(wide);
}
