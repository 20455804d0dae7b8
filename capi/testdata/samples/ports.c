/* A server on a completion port, threads of the run-time library, extensions. */
#include <winsock2.h>

#include <mswsock.h>
#include <process.h>
#include <stdio.h>
#include <stdlib.h>

struct operation {
	OVERLAPPED ov;
	WSABUF buf;
	char data[4096];
	volatile LONG uses;
};

static CRITICAL_SECTION lock;
static volatile long connections;
static struct operation *last;

static unsigned __stdcall serve(void *arg)
{
	HANDLE port = (HANDLE)arg;
	DWORD n, flags;
	ULONG_PTR key;
	OVERLAPPED *ov;

	while (GetQueuedCompletionStatus(port, &n, &key, &ov, INFINITE)) {
		struct operation *op = CONTAINING_RECORD(ov, struct operation, ov);

		if (n == 0) {
			InterlockedDecrement(&connections);
			closesocket((SOCKET)key);
			free(op);
			continue;
		}
		InterlockedIncrement(&op->uses);
		EnterCriticalSection(&lock);
		InterlockedExchangePointer((PVOID volatile *)&last, op);
		LeaveCriticalSection(&lock);
		flags = 0;
		if (WSARecv((SOCKET)key, &op->buf, 1, NULL, &flags, &op->ov, NULL) == SOCKET_ERROR && WSAGetLastError() != WSA_IO_PENDING)
			printf("WSARecv: %d\n", WSAGetLastError());
	}
	return 0;
}

static BOOL WINAPI on_break(DWORD type)
{
	return type == CTRL_C_EVENT ? TRUE : FALSE;
}

int main(void)
{
	GUID acceptex = WSAID_ACCEPTEX;
	LPFN_ACCEPTEX accept_ex = NULL;
	DWORD n;
	unsigned id;
	struct operation *op = (struct operation *)calloc(1, sizeof *op);
	SOCKET s = WSASocket(AF_INET, SOCK_STREAM, IPPROTO_TCP, NULL, 0, WSA_FLAG_OVERLAPPED);
	SOCKET accepted = WSASocketW(AF_INET, SOCK_STREAM, IPPROTO_TCP, NULL, 0, WSA_FLAG_OVERLAPPED);
	HANDLE port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 0);
	HANDLE thread = (HANDLE)_beginthreadex(NULL, 0, serve, port, 0, &id);

	InitializeCriticalSection(&lock);
	SetConsoleCtrlHandler(on_break, TRUE);
	CreateIoCompletionPort((HANDLE)s, port, (ULONG_PTR)s, 0);
	WSAIoctl(s, SIO_GET_EXTENSION_FUNCTION_POINTER, &acceptex, sizeof acceptex, &accept_ex, sizeof accept_ex, &n, NULL, NULL);
	if (op == NULL || !accept_ex(s, accepted, op->data, 0, sizeof(SOCKADDR_IN) + 16, sizeof(SOCKADDR_IN) + 16, &n, &op->ov))
		printf("%u %d\n", GetLastError(), HasOverlappedIoCompleted(&op->ov));
	setsockopt(accepted, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT, (char *)&s, sizeof s);
	PostQueuedCompletionStatus(port, 0, 0, NULL);
	WaitForSingleObject(thread, INFINITE);
	CloseHandle(thread);
	return (int)(GetTickCount64() & 0);
}
