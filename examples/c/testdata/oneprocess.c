/*
 * A server and a client in one process, since some providers' sockets do not leave
 * it. Both are programs whose main has another name:
 *
 *	oneprocess ARGUMENTS OF THE SERVER -- ARGUMENTS OF THE CLIENT
 *
 * each from argv[1] on, the server's being its port first. A connection that ends
 * at once tells that the server listens: it has one more than the client makes.
 */
#include "check.h"

int server_main(int argc, char **argv);
int client_main(int argc, char **argv);

static int server_count;
static char *server_arguments[8] = {"server"};

static DWORD WINAPI serve(LPVOID unused)
{
	return server_main(server_count, server_arguments);
}

static void await_server(u_short port)
{
	struct sockaddr_in a = loopback(port);

	for (int tries = 0; tries < 3000; tries++) {
		SOCKET s = socket(AF_INET, SOCK_STREAM, 0);
		int result;

		CHECK(s != INVALID_SOCKET);
		result = connect(s, (struct sockaddr *)&a, sizeof a);
		OK(closesocket(s));
		if (result == 0)
			return;
		Sleep(10);
	}
	CHECK(!"the server listens");
}

int main(int argc, char **argv)
{
	DWORD code;
	HANDLE server;
	int i;

	for (i = 1; i < argc && strcmp(argv[i], "--") != 0 && i < 8; i++)
		server_arguments[i] = argv[i];
	server_count = i;
	CHECK(i > 1 && i < argc);
	start(MAKEWORD(2, 2));
	server = CreateThread(NULL, 0, serve, NULL, 0, NULL);
	CHECK(server != NULL);
	await_server(atoi(server_arguments[1]));
	OK(client_main(argc - i, argv + i));
	EQUAL(WaitForSingleObject(server, INFINITE), WAIT_OBJECT_0);
	CHECK(GetExitCodeThread(server, &code) && CloseHandle(server));
	EQUAL(code, 0);
	OK(WSACleanup());
	return 0;
}
