/* Uses the provider of namespace.c, whose path is argv[1]. */
#include "check.h"

#include <svcguid.h>
#include <ws2spi.h>

static GUID provider = {0x2f1d2c3b, 0x1111, 0x4a4a, {1, 2, 3, 4, 5, 6, 7, 8}};
static GUID class = {0x2f1d2c3b, 0x2222, 0x4a4a, {1, 2, 3, 4, 5, 6, 7, 8}};
static int called;

static void CALLBACK routine(DWORD error, DWORD transferred, LPWSAOVERLAPPED overlapped, DWORD flags)
{
	EQUAL(error, 0);
	EQUAL((long long)overlapped->Internal, 0);
	called++;
}

static void set(char *name, const char *address, WSAESETSERVICEOP operation)
{
	struct sockaddr_in a = loopback(515);
	CSADDR_INFO where = {{NULL, 0}, {(LPSOCKADDR)&a, sizeof a}, SOCK_STREAM, IPPROTO_TCP};
	GUID host = SVCID_INET_HOSTADDRBYNAME;
	WSAQUERYSETA info = {.dwSize = sizeof info, .lpszServiceInstanceName = name, .lpServiceClassId = &host,
		.lpNSProviderId = &provider, .dwNumberOfCsAddrs = 1, .lpcsaBuffer = &where};

	EQUAL(inet_pton(AF_INET, address, &a.sin_addr), 1);
	OK(WSASetServiceA(&info, operation, 0));
}

static void lookups(void)
{
	char buf[1024] __attribute__((aligned(8)));
	GUID host = SVCID_INET_HOSTADDRBYNAME;
	WSAQUERYSETA query = {.dwSize = sizeof query, .lpszServiceInstanceName = "printer", .lpServiceClassId = &host, .lpNSProviderId = &provider}, *found = (void *)buf;
	WSAOVERLAPPED ov = {.hEvent = WSACreateEvent()};
	WSACOMPLETION done = {.Type = NSP_NOTIFY_EVENT, .Parameters.Event.lpOverlapped = &ov};
	DWORD length = 8, n;
	HANDLE lookup;

	called = 0;
	OK(WSALookupServiceBeginA(&query, LUP_RETURN_NAME | LUP_RETURN_ADDR, &lookup));
	FAILS(WSALookupServiceNextA(lookup, 0, &length, found), WSAEFAULT);
	OK(WSALookupServiceNextA(lookup, 0, &length, found));
	CHECK(!strcmp(found->lpszServiceInstanceName, "printer"));
	EQUAL(((struct sockaddr_in *)found->lpcsaBuffer->RemoteAddr.lpSockaddr)->sin_port, htons(515));
	length = sizeof buf;
	FAILS(WSALookupServiceNextA(lookup, 0, &length, found), WSA_E_NO_MORE);

	/* Changes: asked for, told by an event, told by a routine. */
	FAILS(WSANSPIoctl(lookup, SIO_NSP_NOTIFY_CHANGE, NULL, 0, NULL, 0, &n, NULL), WSAEWOULDBLOCK);
	FAILS(WSANSPIoctl(lookup, SIO_NSP_NOTIFY_CHANGE, NULL, 0, NULL, 0, &n, &done), WSA_IO_PENDING);
	EQUAL(WSAWaitForMultipleEvents(1, &ov.hEvent, TRUE, 0, FALSE), WSA_WAIT_TIMEOUT);
	set("other", "10.0.0.2", RNRSERVICE_REGISTER);
	EQUAL(WSAWaitForMultipleEvents(1, &ov.hEvent, TRUE, 60000, FALSE), WSA_WAIT_EVENT_0);
	EQUAL((long long)ov.Internal, 0);
	OK(WSANSPIoctl(lookup, SIO_NSP_NOTIFY_CHANGE, NULL, 0, NULL, 0, &n, NULL));
	FAILS(WSANSPIoctl(lookup, 1, NULL, 0, NULL, 0, &n, NULL), WSAEOPNOTSUPP);
	OK(WSALookupServiceEnd(lookup));
	FAILS(WSALookupServiceEnd(lookup), WSA_INVALID_HANDLE);

	OK(WSALookupServiceBeginA(&query, LUP_RETURN_NAME, &lookup));
	done.Type = NSP_NOTIFY_APC;
	done.Parameters.Apc.lpOverlapped = &ov;
	done.Parameters.Apc.lpfnCompletionProc = routine;
	FAILS(WSANSPIoctl(lookup, SIO_NSP_NOTIFY_CHANGE, NULL, 0, NULL, 0, &n, &done), WSA_IO_PENDING);
	set("other", "10.0.0.2", RNRSERVICE_DELETE);
	EQUAL(SleepEx(60000, TRUE), WAIT_IO_COMPLETION);
	EQUAL(called, 1);
	OK(WSALookupServiceEnd(lookup));

	/* A notification that its lookup does not outlive. */
	OK(WSALookupServiceBeginA(&query, LUP_RETURN_NAME, &lookup));
	done.Type = NSP_NOTIFY_EVENT;
	done.Parameters.Event.lpOverlapped = &ov;
	FAILS(WSANSPIoctl(lookup, SIO_NSP_NOTIFY_CHANGE, NULL, 0, NULL, 0, &n, &done), WSA_IO_PENDING);
	OK(WSALookupServiceEnd(lookup));
	EQUAL(WSAWaitForMultipleEvents(1, &ov.hEvent, TRUE, 60000, FALSE), WSA_WAIT_EVENT_0);
	EQUAL(ov.Internal, WSA_OPERATION_ABORTED);
	CHECK(WSACloseEvent(ov.hEvent));
}

static void addresses(void)
{
	ADDRINFOEXW *list;
	struct addrinfo *all;
	struct hostent *h = gethostbyname("printer");

	CHECK(h && !memcmp(h->h_addr, "\x0a\0\0\1", 4));
	OK(getaddrinfo("printer", "80", NULL, &all));
	CHECK(!memcmp(&((struct sockaddr_in *)all->ai_addr)->sin_addr, "\x0a\0\0\1", 4));
	freeaddrinfo(all);
	OK(GetAddrInfoExW(u"printer", NULL, NS_ALL, &provider, NULL, &list, NULL, NULL, NULL, NULL));
	CHECK(!memcmp(list->ai_provider, &provider, sizeof provider));
	FreeAddrInfoExW(list);
	EQUAL(getaddrinfo("nobody", NULL, NULL, &all), WSAHOST_NOT_FOUND);
}

static void classes(void)
{
	char buf[1024] __attribute__((aligned(8)));
	WSASERVICECLASSINFOA info = {&class, "Printers", 0, NULL}, *found = (void *)buf;
	DWORD length = 8, plenty = sizeof buf;
	char name[16];
	WCHAR wide[16];

	FAILS(WSAGetServiceClassInfoA(&provider, &class, &plenty, found), WSATYPE_NOT_FOUND);
	OK(WSAInstallServiceClassA(&info));
	FAILS(WSAInstallServiceClassA(&info), WSAEALREADY);
	FAILS(WSAGetServiceClassInfoA(&provider, &class, &length, found), WSAEFAULT);
	OK(WSAGetServiceClassInfoA(&provider, &class, &length, found));
	CHECK(!strcmp(found->lpszServiceClassName, "Printers"));
	plenty = sizeof buf;
	OK(WSAGetServiceClassInfoW(&provider, &class, &plenty, (void *)buf));
	CHECK(!memcmp(((LPWSASERVICECLASSINFOW)buf)->lpszServiceClassName, u"Printers", 18));
	length = 3;
	FAILS(WSAGetServiceClassNameByClassIdA(&class, name, &length), WSAEFAULT);
	EQUAL(length, 9);
	OK(WSAGetServiceClassNameByClassIdA(&class, name, &length));
	CHECK(!strcmp(name, "Printers"));
	length = sizeof wide;
	OK(WSAGetServiceClassNameByClassIdW(&class, wide, &length));
	CHECK(!memcmp(wide, u"Printers", 18));
	OK(WSARemoveServiceClass(&class));
	FAILS(WSARemoveServiceClass(&class), WSATYPE_NOT_FOUND);
}

static int loaded(const char *path)
{
	char line[4096];
	FILE *maps = fopen("/proc/self/maps", "r");
	int found = 0;

	CHECK(maps);
	while (fgets(line, sizeof line, maps))
		found |= strstr(line, path) != NULL;
	fclose(maps);
	return found;
}

int main(int n, char **args)
{
	WCHAR path[260];
	size_t length = strlen(args[1]);

	for (size_t i = 0; i <= length; i++)
		path[i] = args[1][i];
	OK(WSCInstallNameSpace((WCHAR *)u"Test names", path, 77, 1, &provider));
	if (n > 2) { /* it does not start, with this code */
		GUID host = SVCID_INET_HOSTADDRBYNAME;
		WSAQUERYSETA query = {.dwSize = sizeof query, .lpszServiceInstanceName = "printer", .lpServiceClassId = &host, .lpNSProviderId = &provider};
		HANDLE lookup;

		start(MAKEWORD(2, 2));
		FAILS(WSALookupServiceBeginA(&query, LUP_RETURN_NAME, &lookup), atoi(args[2]));
		OK(WSACleanup());
		CHECK(!loaded(args[1]));
		return 0;
	}
	for (int i = 0; i < 3; i++) {
		start(MAKEWORD(2, 2));
		CHECK(!loaded(args[1]));
		set("printer", "10.0.0.1", RNRSERVICE_REGISTER);
		lookups();
		addresses();
		classes();
		set("printer", "10.0.0.1", RNRSERVICE_DELETE);
		FAILS(gethostbyname("printer") ? 1 : 0, WSAHOST_NOT_FOUND);
		CHECK(loaded(args[1]));
		OK(WSACleanup());
		CHECK(!loaded(args[1]));
	}
	return 0;
}
