// An exception that leaves a callback ends the process, and is not caught.
#include <winsock2.h>
#include <windows.h>

static VOID CALLBACK routine(DWORD, DWORD, LPWSAOVERLAPPED, DWORD)
{
	throw 1;
}

int main()
{
	WSADATA data;
	struct sockaddr_in name = {};
	int length = sizeof name;
	WSAOVERLAPPED ov = {};
	char byte;
	WSABUF buffer = {1, &byte};
	DWORD flags = 0;

	if (WSAStartup(MAKEWORD(2, 2), &data) != 0)
		return 2;
	name.sin_family = AF_INET;
	name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	SOCKET s = socket(AF_INET, SOCK_DGRAM, 0);
	if (bind(s, (struct sockaddr *)&name, length) || getsockname(s, (struct sockaddr *)&name, &length) ||
	    sendto(s, "x", 1, 0, (struct sockaddr *)&name, length) != 1)
		return 2;
	WSARecv(s, &buffer, 1, NULL, &flags, &ov, routine);
	try {
		SleepEx(INFINITE, TRUE);
	} catch (int) {
		return 1;
	}
	return 0;
}
