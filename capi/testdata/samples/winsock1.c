/* Winsock 1.1: one header, a blocking hook, asynchronous look-ups. */
#include <winsock.h>

static BOOL PASCAL FAR hook(void)
{
	return FALSE;
}

int PASCAL serve(HWND window)
{
	WSADATA wsa;
	SOCKET s;
	struct sockaddr_in name;
	struct hostent FAR *host;
	struct linger linger = {1, 0};
	static char buffer[MAXGETHOSTSTRUCT];

	if (WSAStartup(MAKEWORD(1, 1), &wsa) != 0)
		return WSAGetLastError();
	WSASetBlockingHook((FARPROC)hook);
	s = socket(PF_INET, SOCK_STREAM, 0);
	name.sin_family = AF_INET;
	name.sin_port = htons(IPPORT_ECHO);
	name.sin_addr.s_addr = inet_addr("127.0.0.1");
	if (name.sin_addr.s_addr == INADDR_NONE && (host = gethostbyname("localhost")) != NULL)
		name.sin_addr = *(struct in_addr *)(void *)host->h_addr;
	bind(s, (LPSOCKADDR)&name, sizeof name);
	listen(s, SOMAXCONN);
	setsockopt(s, SOL_SOCKET, SO_LINGER, (char *)&linger, sizeof linger);
	if (WSAIsBlocking())
		WSACancelBlockingCall();
	WSAAsyncGetHostByName(window, WM_USER, "localhost", buffer, sizeof buffer);
	return h_errno;
}
