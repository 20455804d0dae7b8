/* Names and addresses in both forms. argv[1] is a DNS server that never answers. */
#include "check.h"

#include <svcguid.h>
#include <ws2spi.h>

#include <pthread.h>

static void not_started(void)
{
	struct addrinfo *list = (void *)1;
	char text[16];

	EQUAL(getaddrinfo("127.0.0.1", "1", NULL, &list), WSANOTINITIALISED);
	EQUAL(WSAGetLastError(), WSANOTINITIALISED);
	CHECK(list == NULL);
	FAILS(gethostbyname("localhost") ? 1 : 0, WSANOTINITIALISED);
	FAILS(gethostname(text, sizeof text), WSANOTINITIALISED);
	FAILS(WSALookupServiceEnd((HANDLE)4), WSANOTINITIALISED);
	/* These need no start-up. */
	CHECK(!strcmp(inet_ntop(AF_INET, "\x7f\0\0\1", text, sizeof text), "127.0.0.1"));
	FAILS(inet_ntop(AF_INET, "\x7f\0\0\1", text, 9) ? 1 : 0, WSA_INVALID_PARAMETER);
	FAILS(inet_ntop(99, "\x7f\0\0\1", text, sizeof text) ? 1 : 0, WSAEAFNOSUPPORT);
}

static void addresses(void)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_CANONNAME}, *list, *tail;
	ADDRINFOW wide = {.ai_family = AF_INET, .ai_socktype = SOCK_DGRAM, .ai_flags = AI_CANONNAME}, *wide_list;
	WCHAR host[64], service[16];

	WSASetLastError(7);
	OK(getaddrinfo(NULL, "80", NULL, &list));
	EQUAL(WSAGetLastError(), 7);
	/* A list that was taken apart: each part is freed by itself. */
	tail = list->ai_next;
	CHECK(tail);
	list->ai_next = NULL;
	freeaddrinfo(tail);
	EQUAL(((struct sockaddr_in *)list->ai_addr)->sin_port, htons(80));
	freeaddrinfo(list);
	freeaddrinfo(NULL);

	OK(GetAddrInfoW(u"127.0.0.1", u"53", &wide, &wide_list));
	CHECK(!memcmp(wide_list->ai_canonname, u"127.0.0.1", 20));
	EQUAL(wide_list->ai_protocol, IPPROTO_UDP);
	OK(GetNameInfoW(wide_list->ai_addr, wide_list->ai_addrlen, host, 64, service, 16, NI_NUMERICHOST | NI_NUMERICSERV));
	CHECK(!memcmp(host, u"127.0.0.1", 20) && !memcmp(service, u"53", 6));
	EQUAL(GetNameInfoW(wide_list->ai_addr, wide_list->ai_addrlen, host, 9, NULL, 0, NI_NUMERICHOST), WSAEFAULT);
	EQUAL(getnameinfo(wide_list->ai_addr, 3, (char *)host, 9, NULL, 0, NI_NUMERICHOST), WSAEFAULT);
	FreeAddrInfoW(wide_list);

	EQUAL(getaddrinfo("127.0.0.1", "80", NULL, NULL), WSAEFAULT);
	EQUAL(getaddrinfo(NULL, NULL, NULL, &list), EAI_NONAME);
	EQUAL(WSAGetLastError(), EAI_NONAME);
	hints.ai_addrlen = 1;
	EQUAL(getaddrinfo("127.0.0.1", "80", &hints, &list), EAI_FAIL);
	CHECK(strstr(gai_strerrorA(EAI_NONAME), "not found"));
	CHECK(gai_strerrorW(EAI_NONAME)[0] == gai_strerrorA(EAI_NONAME)[0]);
}

static void *other_thread(void *first)
{
	struct hostent *h = gethostbyname("127.0.0.2");
	struct servent *s = getservbyport(htons(80), "tcp");
	struct protoent *p = getprotobyname("tcp");

	CHECK(h && s && p);
	CHECK(h != first);
	CHECK(!memcmp(h->h_addr, "\x7f\0\0\2", 4));
	EQUAL(p->p_proto, IPPROTO_TCP);
	return NULL;
}

static void hosts(void)
{
	struct hostent *h = gethostbyname("127.0.0.1");
	pthread_t other;
	char name[256];
	WCHAR wide[256];
	size_t n;

	CHECK(h);
	OK(pthread_create(&other, NULL, other_thread, h));
	OK(pthread_join(other, NULL));
	CHECK(!memcmp(h->h_addr, "\x7f\0\0\1", 4)); /* the other thread had memory of its own */
	CHECK(gethostbyname(NULL));
	FAILS(gethostbyaddr("\x7f", 1, AF_INET) ? 1 : 0, WSAEFAULT);
	FAILS(gethostbyaddr("\x7f\0\0\1", 4, 99) ? 1 : 0, WSAEAFNOSUPPORT);
	FAILS(getservbyname(NULL, "tcp") ? 1 : 0, WSAEFAULT);
	FAILS(getservbyname("nosuchservice", "tcp") ? 1 : 0, WSANO_DATA);
	FAILS(getprotobyname(NULL) ? 1 : 0, WSAEFAULT);
	FAILS(getprotobynumber(251) ? 1 : 0, WSANO_DATA);

	OK(gethostname(name, sizeof name));
	n = strlen(name);
	OK(GetHostNameW(wide, 256));
	for (size_t i = 0; i <= n; i++)
		EQUAL(wide[i], name[i]);
	FAILS(gethostname(name, n), WSAEFAULT);
	FAILS(GetHostNameW(wide, n), WSAEFAULT);
	FAILS(gethostname(NULL, 256), WSAEFAULT);
}

static void texts(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET}, b;
	char text[64];
	WCHAR wide[64];
	DWORD n = sizeof text;
	int length;

	a.sin_port = htons(80);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	OK(WSAAddressToStringA((LPSOCKADDR)&a, sizeof a, NULL, text, &n));
	CHECK(!strcmp(text, "127.0.0.1:80"));
	EQUAL(n, 13);
	n = 64;
	OK(WSAAddressToStringW((LPSOCKADDR)&a, sizeof a, NULL, wide, &n));
	CHECK(!memcmp(wide, u"127.0.0.1:80", 26));
	EQUAL(n, 13);
	n = 12;
	FAILS(WSAAddressToStringA((LPSOCKADDR)&a, sizeof a, NULL, text, &n), WSAEFAULT);
	EQUAL(n, 13);
	n = 12;
	FAILS(WSAAddressToStringW((LPSOCKADDR)&a, sizeof a, NULL, wide, &n), WSAEFAULT);
	EQUAL(n, 13);
	FAILS(WSAAddressToStringA((LPSOCKADDR)&a, sizeof a, NULL, text, NULL), WSAEFAULT);

	length = sizeof b;
	OK(WSAStringToAddressA(text, AF_INET, NULL, (LPSOCKADDR)&b, &length));
	EQUAL(b.sin_port, a.sin_port);
	EQUAL(b.sin_addr.s_addr, a.sin_addr.s_addr);
	length = sizeof b;
	OK(WSAStringToAddressW(wide, AF_INET, NULL, (LPSOCKADDR)&b, &length));
	length = 4;
	FAILS(WSAStringToAddressW(wide, AF_INET, NULL, (LPSOCKADDR)&b, &length), WSAEFAULT);
	EQUAL(length, sizeof b);
	FAILS(WSAStringToAddressA("no address", AF_INET, NULL, (LPSOCKADDR)&b, &length), WSAEINVAL);
	FAILS(WSAStringToAddressA(NULL, AF_INET, NULL, (LPSOCKADDR)&b, &length), WSAEFAULT);

	CHECK(!memcmp(InetNtopW(AF_INET6, &in6addr_loopback, wide, 64), u"::1", 8));
	EQUAL(InetPtonW(AF_INET, u"1.2.3.4", &a.sin_addr), 1);
	EQUAL(a.sin_addr.s_addr, htonl(0x01020304));
	EQUAL(InetPtonW(AF_INET, u"1.2.3", &a.sin_addr), 0);
	EQUAL(InetPtonW(99, u"1.2.3.4", &a.sin_addr), -1);
	EQUAL(WSAGetLastError(), WSAEAFNOSUPPORT);
}

static GUID provider_of(DWORD name_space, const char *identifier)
{
	char buf[4096] __attribute__((aligned(8)));
	DWORD length = sizeof buf;
	WSANAMESPACE_INFOA *infos = (void *)buf;
	int n = WSAEnumNameSpaceProvidersA(&length, infos);

	for (int i = 0; i < n; i++)
		if (infos[i].dwNameSpace == name_space && !strcmp(infos[i].lpszIdentifier, identifier))
			return infos[i].NSProviderId;
	CHECK(!"the name-space provider is there");
	return infos->NSProviderId;
}

static void providers(void)
{
	char buf[4096] __attribute__((aligned(8)));
	DWORD length = 0, narrow, wide;
	WSANAMESPACE_INFOEXW *infos = (void *)buf;

	FAILS(WSAEnumNameSpaceProvidersA(&length, (void *)buf), WSAEFAULT);
	narrow = length;
	length = 0;
	FAILS(WSAEnumNameSpaceProvidersW(&length, NULL), WSAEFAULT);
	wide = length;
	CHECK(narrow < wide);
	EQUAL(WSAEnumNameSpaceProvidersA(&narrow, (void *)buf), 2);
	EQUAL(WSAEnumNameSpaceProvidersW(&wide, (void *)buf), 2);
	length = sizeof buf;
	EQUAL(WSAEnumNameSpaceProvidersExA(&length, (void *)buf), 2);
	length = sizeof buf;
	EQUAL(WSAEnumNameSpaceProvidersExW(&length, infos), 2);
	CHECK(!memcmp(infos[0].lpszIdentifier, u"Hosts file", 22));
	EQUAL(infos[0].dwNameSpace, NS_DNS);
	FAILS(WSAEnumNameSpaceProvidersW(NULL, NULL), WSAEFAULT);
}

static void lookups(void)
{
	char buf[4096] __attribute__((aligned(8)));
	WSAQUERYSETA query = {.dwSize = sizeof query}, *found = (void *)buf;
	WSAQUERYSETW wide = {.dwSize = sizeof wide}, *wide_found = (void *)buf;
	GUID class = SVCID_INET_HOSTADDRBYNAME, hosts = provider_of(NS_DNS, "Hosts file");
	HANDLE lookup;
	DWORD length;

	query.lpszServiceInstanceName = "localhost";
	query.lpServiceClassId = &class;
	query.lpNSProviderId = &hosts;
	OK(WSALookupServiceBeginA(&query, LUP_RETURN_NAME | LUP_RETURN_ADDR, &lookup));
	length = 10;
	FAILS(WSALookupServiceNextA(lookup, LUP_RETURN_NAME | LUP_RETURN_ADDR, &length, found), WSAEFAULT);
	CHECK(length > sizeof *found);
	length--;
	FAILS(WSALookupServiceNextA(lookup, LUP_RETURN_NAME | LUP_RETURN_ADDR, &length, found), WSAEFAULT);
	OK(WSALookupServiceNextA(lookup, LUP_RETURN_NAME | LUP_RETURN_ADDR, &length, found)); /* the length is what it needs */
	CHECK(!strcmp(found->lpszServiceInstanceName, "localhost"));
	CHECK(found->lpszServiceInstanceName > buf && found->lpszServiceInstanceName < buf + length);
	CHECK(found->dwNumberOfCsAddrs > 0);
	CHECK(found->lpszComment == NULL);
	length = sizeof buf;
	FAILS(WSALookupServiceNextA(lookup, 0, &length, found), WSA_E_NO_MORE);
	OK(WSALookupServiceEnd(lookup));
	FAILS(WSALookupServiceNextA(lookup, 0, &length, found), WSA_INVALID_HANDLE);
	FAILS(WSALookupServiceEnd(lookup), WSA_INVALID_HANDLE);

	/* A result that is too large can be passed over. */
	OK(WSALookupServiceBeginA(&query, LUP_RETURN_NAME, &lookup));
	length = 10;
	FAILS(WSALookupServiceNextA(lookup, LUP_RETURN_NAME, &length, found), WSAEFAULT);
	length = sizeof buf;
	FAILS(WSALookupServiceNextA(lookup, LUP_RETURN_NAME | LUP_FLUSHPREVIOUS, &length, found), WSA_E_NO_MORE);
	OK(WSALookupServiceEnd(lookup));

	wide.lpszServiceInstanceName = (WCHAR *)u"localhost";
	wide.lpServiceClassId = &class;
	wide.dwNameSpace = NS_DNS;
	OK(WSALookupServiceBeginW(&wide, LUP_RETURN_NAME | LUP_RETURN_ADDR, &lookup));
	length = sizeof buf;
	OK(WSALookupServiceNextW(lookup, 0xffff, &length, wide_found));
	CHECK(!memcmp(wide_found->lpszServiceInstanceName, u"localhost", 20));
	FAILS(WSALookupServiceNextW(lookup, 0, NULL, wide_found), WSAEFAULT);
	OK(WSALookupServiceEnd(lookup));

	FAILS(WSALookupServiceBeginW(NULL, 0, &lookup), WSAEFAULT);
	FAILS(WSALookupServiceBeginW(&wide, 0, NULL), WSAEFAULT);
	wide.dwSize = 3;
	FAILS(WSALookupServiceBeginW(&wide, 0, &lookup), WSAEINVAL);

	/* Whether results are out of date. */
	OK(WSALookupServiceBeginA(&query, LUP_RETURN_NAME, &lookup));
	length = sizeof buf;
	OK(WSALookupServiceNextA(lookup, 0, &length, found));
	FAILS(WSANSPIoctl(lookup, SIO_NSP_NOTIFY_CHANGE, NULL, 0, NULL, 0, &length, NULL), WSAEWOULDBLOCK);
	FAILS(WSANSPIoctl(lookup, SIO_NSP_NOTIFY_CHANGE, NULL, 0, NULL, 0, NULL, NULL), WSAEFAULT);
	{
		WSAOVERLAPPED ov = {.hEvent = WSACreateEvent()};
		WSACOMPLETION done = {.Type = NSP_NOTIFY_EVENT, .Parameters.Event.lpOverlapped = &ov};

		FAILS(WSANSPIoctl(lookup, SIO_NSP_NOTIFY_CHANGE, NULL, 0, NULL, 0, &length, &done), WSA_IO_PENDING);
		OK(WSALookupServiceEnd(lookup));
		EQUAL(WSAWaitForMultipleEvents(1, &ov.hEvent, TRUE, 60000, FALSE), WSA_WAIT_EVENT_0);
		EQUAL(ov.Internal, WSA_OPERATION_ABORTED);
		CHECK(WSACloseEvent(ov.hEvent));
		done.Type = 77;
		OK(WSALookupServiceBeginA(&query, LUP_RETURN_NAME, &lookup));
		FAILS(WSANSPIoctl(lookup, SIO_NSP_NOTIFY_CHANGE, NULL, 0, NULL, 0, &length, &done), WSAEINVAL);
		OK(WSALookupServiceEnd(lookup));
	}
	FAILS(WSASetServiceA(&query, RNRSERVICE_REGISTER, 0), WSAEOPNOTSUPP);
	FAILS(WSASetServiceW(NULL, RNRSERVICE_REGISTER, 0), WSAEFAULT);
}

static void classes(void)
{
	char buf[4096] __attribute__((aligned(8)));
	GUID class = SVCID_INET_HOSTADDRBYNAME, hosts = provider_of(NS_DNS, "Hosts file"), none = {1, 2, 3, {4}};
	WSASERVICECLASSINFOA info = {&none, "name", 0, NULL};
	DWORD length = sizeof buf;
	char name[64];

	FAILS(WSAInstallServiceClassA(&info), WSAEOPNOTSUPP);
	FAILS(WSAInstallServiceClassW(NULL), WSAEINVAL);
	FAILS(WSARemoveServiceClass(NULL), WSAEINVAL);
	FAILS(WSARemoveServiceClass(&none), WSAEOPNOTSUPP);
	FAILS(WSAGetServiceClassInfoA(NULL, &class, &length, (void *)buf), WSAEFAULT);
	FAILS(WSAGetServiceClassInfoA(&none, &class, &length, (void *)buf), WSAEINVAL);
	FAILS(WSAGetServiceClassNameByClassIdA(&class, name, NULL), WSAEFAULT);
	length = sizeof name;
	FAILS(WSAGetServiceClassNameByClassIdA(&none, name, &length), WSATYPE_NOT_FOUND);
	(void)hosts;
}

static HANDLE called_back;
static DWORD called_error;

static void CALLBACK routine(DWORD error, DWORD bytes, LPWSAOVERLAPPED overlapped)
{
	struct addrinfo *list;

	/* On a thread that is not the program's, and may call back all the same. */
	EQUAL(bytes, 0);
	OK(getaddrinfo("127.0.0.1", "1", NULL, &list));
	freeaddrinfo(list);
	called_error = error;
	EQUAL(overlapped->Internal, error);
	CHECK(WSASetEvent(called_back));
}

static void searches(void)
{
	ADDRINFOEXA hints = {.ai_family = AF_INET, .ai_flags = AI_CANONNAME}, *list;
	ADDRINFOEXW *wide = NULL;
	GUID hosts = provider_of(NS_DNS, "Hosts file"), dns = provider_of(NS_DNS, "DNS");
	OVERLAPPED ov = {0};
	HANDLE handle;
	struct timeval soon = {0, 50000};
	SOCKET_ADDRESS address = {0};

	OK(GetAddrInfoExA("localhost", "80", NS_DNS, &hosts, &hints, &list, NULL, NULL, NULL, NULL));
	CHECK(list->ai_canonname && list->ai_provider && !memcmp(list->ai_provider, &hosts, sizeof hosts));
	EQUAL(((struct sockaddr_in *)list->ai_addr)->sin_port, htons(80));
	FreeAddrInfoEx(list);
	EQUAL(GetAddrInfoExA("localhost", "80", NS_DNS, &hosts, &hints, NULL, NULL, NULL, NULL, NULL), WSAEFAULT);
	EQUAL(GetAddrInfoExA("localhost", "80", NS_DNS, &hosts, &hints, &list, NULL, NULL, NULL, &handle), WSAEINVAL);
	EQUAL(GetAddrInfoExA("localhost", "80", NS_DNS, &hosts, &hints, &list, NULL, NULL, routine, NULL), WSAEINVAL);
	EQUAL(GetAddrInfoExA("localhost", "80", NS_DNS, &hosts, &hints, &list, NULL, &ov, NULL, NULL), WSAEINVAL); /* no event */

	/* With an event. */
	ov.hEvent = WSACreateEvent();
	EQUAL(GetAddrInfoExW(u"localhost", u"80", NS_DNS, &hosts, NULL, &wide, NULL, &ov, NULL, &handle), WSA_IO_PENDING);
	EQUAL(WSAWaitForMultipleEvents(1, &ov.hEvent, TRUE, 60000, FALSE), WSA_WAIT_EVENT_0);
	EQUAL(GetAddrInfoExOverlappedResult(&ov), 0);
	CHECK(wide && ov.Pointer == &wide);
	FreeAddrInfoExW(wide);
	EQUAL(GetAddrInfoExCancel(&handle), WSA_INVALID_HANDLE);

	/* Cancelled, and late: the server does not answer. */
	EQUAL(GetAddrInfoExW(u"name.test", NULL, NS_DNS, &dns, NULL, &wide, NULL, &ov, NULL, &handle), WSA_IO_PENDING);
	EQUAL(GetAddrInfoExOverlappedResult(&ov), WSAEINPROGRESS);
	OK(GetAddrInfoExCancel(&handle));
	EQUAL(WSAWaitForMultipleEvents(1, &ov.hEvent, TRUE, 60000, FALSE), WSA_WAIT_EVENT_0);
	EQUAL(GetAddrInfoExOverlappedResult(&ov), WSA_E_CANCELLED);
	CHECK(!wide);
	EQUAL(GetAddrInfoExW(u"name.test", NULL, NS_DNS, &dns, NULL, &wide, &soon, NULL, NULL, NULL), WSAETIMEDOUT);
	CHECK(WSACloseEvent(ov.hEvent));

	/* With a routine. */
	memset(&ov, 0, sizeof ov);
	called_back = WSACreateEvent();
	EQUAL(GetAddrInfoExA("localhost", "80", NS_DNS, &hosts, &hints, &list, NULL, &ov, routine, NULL), WSA_IO_PENDING);
	EQUAL(WSAWaitForMultipleEvents(1, &called_back, TRUE, 60000, FALSE), WSA_WAIT_EVENT_0);
	EQUAL(called_error, 0);
	FreeAddrInfoEx(list);
	CHECK(WSACloseEvent(called_back));
	EQUAL(GetAddrInfoExCancel(NULL), WSAEFAULT);

	EQUAL(SetAddrInfoExA("name", NULL, &address, 0, NULL, 0, NS_DNS, NULL, NULL, NULL, NULL, NULL), WSAEOPNOTSUPP);
	EQUAL(SetAddrInfoExW(NULL, NULL, NULL, 0, NULL, 0, NS_DNS, NULL, NULL, NULL, NULL, NULL), WSAEINVAL);
	EQUAL(SetAddrInfoExW(u"name", NULL, NULL, 1, NULL, 0, NS_DNS, NULL, NULL, NULL, NULL, NULL), WSAEFAULT);
}

static void *ends(void *lookup)
{
	OK(WSALookupServiceEnd(lookup));
	return NULL;
}

/* The end of a lookup cancels the call that searches. */
static void cancelled(void)
{
	char buf[1024] __attribute__((aligned(8)));
	WSAQUERYSETA query = {.dwSize = sizeof query};
	GUID class = SVCID_INET_HOSTADDRBYNAME, dns = provider_of(NS_DNS, "DNS");
	DWORD length = sizeof buf;
	HANDLE lookup;
	pthread_t other;
	int e;

	query.lpszServiceInstanceName = "name.test";
	query.lpServiceClassId = &class;
	query.lpNSProviderId = &dns;
	OK(WSALookupServiceBeginA(&query, LUP_RETURN_ADDR, &lookup));
	OK(pthread_create(&other, NULL, ends, lookup));
	EQUAL(WSALookupServiceNextA(lookup, 0, &length, (void *)buf), SOCKET_ERROR);
	e = WSAGetLastError();
	CHECK(e == WSA_E_CANCELLED || e == WSA_INVALID_HANDLE); /* as the other thread is before or after */
	OK(pthread_join(other, NULL));
}

int main(void)
{
	not_started();
	start(MAKEWORD(2, 2));
	addresses();
	hosts();
	texts();
	providers();
	lookups();
	classes();
	searches();
	cancelled();
	OK(WSACleanup());
	not_started();
	return 0;
}
