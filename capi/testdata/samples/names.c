/* Name spaces, GUIDs, and the types of pointers to functions. */
#define INCL_WINSOCK_API_TYPEDEFS 1
#define INITGUID
#include <winsock2.h>

#include <ws2tcpip.h>

#include <nspapi.h>
#include <objbase.h>
#include <rpc.h>
#include <svcguid.h>

DEFINE_GUID(class_id, 0x12345678, 0x1234, 0x1234, 1, 2, 3, 4, 5, 6, 7, 8);

#ifdef __cplusplus
#define REF(guid) (guid)
#else
#define REF(guid) (&(guid))
#endif

static LPFN_SOCKET open_socket = socket;
static LPFN_SELECT wait_sockets = select;
static LPFN_GETHOSTNAME name_of_host = gethostname;
static LPFN_WSASOCKET open_wide = WSASocket;
static LPFN_GETADDRINFO resolve = getaddrinfo;

int main(void)
{
	static const GUID dns = SVCID_DNS(1), echo = SVCID_ECHO_TCP;
	GUID g;
	UUID u;
	WSAQUERYSET query;
	HANDLE lookup;
	WCHAR text[39];
	struct sockaddr_in6 a;
	struct in6_addr any = IN6ADDR_ANY_INIT, loopback = IN6ADDR_LOOPBACK_INIT;

	SET_TCP_SVCID(&g, 80);
	UuidCreate(&u);
	StringFromGUID2(REF(class_id), text, 39);
	ZeroMemory(&query, sizeof query);
	query.dwSize = sizeof query;
	query.dwNameSpace = NS_ALL;
	query.lpServiceClassId = &g;
	WSALookupServiceBegin(&query, LUP_RETURN_ALL, &lookup);
	IN6ADDR_SETLOOPBACK(&a);
	return IS_SVCID_DNS(&dns) && PORT_FROM_SVCID_TCP(&echo) == 7 && IsEqualGUID(REF(u), REF(g)) && IN6_IS_ADDR_UNSPECIFIED(&any) &&
	       IN6_ADDR_EQUAL(&a.sin6_addr, &loopback) && open_socket(0, 0, 0) + open_wide(0, 0, 0, NULL, 0, 0) &&
	       wait_sockets(0, NULL, NULL, NULL, NULL) && name_of_host(NULL, 0) && resolve(NULL, NULL, NULL, NULL);
}
