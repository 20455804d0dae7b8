/* The functions that Winsock 2 adds. */
#ifndef UPCALL_DETAIL_FUNCTIONS2_H
#define UPCALL_DETAIL_FUNCTIONS2_H

#include <winsock2.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Sockets. */
WINSOCK_API_LINKAGE SOCKET WSAAPI WSASocketA(int af, int type, int protocol, LPWSAPROTOCOL_INFOA lpProtocolInfo, GROUP g, DWORD dwFlags);
WINSOCK_API_LINKAGE SOCKET WSAAPI WSASocketW(int af, int type, int protocol, LPWSAPROTOCOL_INFOW lpProtocolInfo, GROUP g, DWORD dwFlags);
WINSOCK_API_LINKAGE SOCKET WSAAPI WSAAccept(SOCKET s, struct sockaddr *addr, LPINT addrlen, LPCONDITIONPROC lpfnCondition, DWORD_PTR dwCallbackData);
WINSOCK_API_LINKAGE int WSAAPI WSAConnect(SOCKET s, const struct sockaddr *name, int namelen, LPWSABUF lpCallerData, LPWSABUF lpCalleeData, LPQOS lpSQOS, LPQOS lpGQOS);
WINSOCK_API_LINKAGE BOOL WSAAPI WSAConnectByNameA(SOCKET s, LPCSTR nodename, LPCSTR servicename, LPDWORD LocalAddressLength, LPSOCKADDR LocalAddress, LPDWORD RemoteAddressLength, LPSOCKADDR RemoteAddress, const struct timeval *timeout, LPWSAOVERLAPPED Reserved);
WINSOCK_API_LINKAGE BOOL WSAAPI WSAConnectByNameW(SOCKET s, LPWSTR nodename, LPWSTR servicename, LPDWORD LocalAddressLength, LPSOCKADDR LocalAddress, LPDWORD RemoteAddressLength, LPSOCKADDR RemoteAddress, const struct timeval *timeout, LPWSAOVERLAPPED Reserved);
WINSOCK_API_LINKAGE BOOL WSAAPI WSAConnectByList(SOCKET s, PSOCKET_ADDRESS_LIST SocketAddress, LPDWORD LocalAddressLength, LPSOCKADDR LocalAddress, LPDWORD RemoteAddressLength, LPSOCKADDR RemoteAddress, const struct timeval *timeout, LPWSAOVERLAPPED Reserved);
WINSOCK_API_LINKAGE SOCKET WSAAPI WSAJoinLeaf(SOCKET s, const struct sockaddr *name, int namelen, LPWSABUF lpCallerData, LPWSABUF lpCalleeData, LPQOS lpSQOS, LPQOS lpGQOS, DWORD dwFlags);
WINSOCK_API_LINKAGE int WSAAPI WSADuplicateSocketA(SOCKET s, DWORD dwProcessId, LPWSAPROTOCOL_INFOA lpProtocolInfo);
WINSOCK_API_LINKAGE int WSAAPI WSADuplicateSocketW(SOCKET s, DWORD dwProcessId, LPWSAPROTOCOL_INFOW lpProtocolInfo);
WINSOCK_API_LINKAGE int WSAAPI WSASend(SOCKET s, LPWSABUF lpBuffers, DWORD dwBufferCount, LPDWORD lpNumberOfBytesSent, DWORD dwFlags, LPWSAOVERLAPPED lpOverlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE lpCompletionRoutine);
WINSOCK_API_LINKAGE int WSAAPI WSASendTo(SOCKET s, LPWSABUF lpBuffers, DWORD dwBufferCount, LPDWORD lpNumberOfBytesSent, DWORD dwFlags, const struct sockaddr *lpTo, int iTolen, LPWSAOVERLAPPED lpOverlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE lpCompletionRoutine);
WINSOCK_API_LINKAGE int WSAAPI WSASendMsg(SOCKET s, LPWSAMSG lpMsg, DWORD dwFlags, LPDWORD lpNumberOfBytesSent, LPWSAOVERLAPPED lpOverlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE lpCompletionRoutine);
WINSOCK_API_LINKAGE int WSAAPI WSASendDisconnect(SOCKET s, LPWSABUF lpOutboundDisconnectData);
WINSOCK_API_LINKAGE int WSAAPI WSARecv(SOCKET s, LPWSABUF lpBuffers, DWORD dwBufferCount, LPDWORD lpNumberOfBytesRecvd, LPDWORD lpFlags, LPWSAOVERLAPPED lpOverlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE lpCompletionRoutine);
WINSOCK_API_LINKAGE int WSAAPI WSARecvFrom(SOCKET s, LPWSABUF lpBuffers, DWORD dwBufferCount, LPDWORD lpNumberOfBytesRecvd, LPDWORD lpFlags, struct sockaddr *lpFrom, LPINT lpFromlen, LPWSAOVERLAPPED lpOverlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE lpCompletionRoutine);
WINSOCK_API_LINKAGE int WSAAPI WSARecvDisconnect(SOCKET s, LPWSABUF lpInboundDisconnectData);
WINSOCK_API_LINKAGE int WSAAPI WSAIoctl(SOCKET s, DWORD dwIoControlCode, LPVOID lpvInBuffer, DWORD cbInBuffer, LPVOID lpvOutBuffer, DWORD cbOutBuffer, LPDWORD lpcbBytesReturned, LPWSAOVERLAPPED lpOverlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE lpCompletionRoutine);
WINSOCK_API_LINKAGE int WSAAPI WSAPoll(LPWSAPOLLFD fdArray, ULONG fds, INT timeout);
WINSOCK_API_LINKAGE BOOL WSAAPI WSAGetQOSByName(SOCKET s, LPWSABUF lpQOSName, LPQOS lpQOS);
WINSOCK_API_LINKAGE int WSAAPI WSAHtonl(SOCKET s, u_long hostlong, u_long *lpnetlong);
WINSOCK_API_LINKAGE int WSAAPI WSAHtons(SOCKET s, u_short hostshort, u_short *lpnetshort);
WINSOCK_API_LINKAGE int WSAAPI WSANtohl(SOCKET s, u_long netlong, u_long *lphostlong);
WINSOCK_API_LINKAGE int WSAAPI WSANtohs(SOCKET s, u_short netshort, u_short *lphostshort);

/* Events and overlapped operations. */
WINSOCK_API_LINKAGE WSAEVENT WSAAPI WSACreateEvent(void);
WINSOCK_API_LINKAGE BOOL WSAAPI WSACloseEvent(WSAEVENT hEvent);
WINSOCK_API_LINKAGE BOOL WSAAPI WSASetEvent(WSAEVENT hEvent);
WINSOCK_API_LINKAGE BOOL WSAAPI WSAResetEvent(WSAEVENT hEvent);
WINSOCK_API_LINKAGE DWORD WSAAPI WSAWaitForMultipleEvents(DWORD cEvents, const WSAEVENT *lphEvents, BOOL fWaitAll, DWORD dwTimeout, BOOL fAlertable);
WINSOCK_API_LINKAGE int WSAAPI WSAEventSelect(SOCKET s, WSAEVENT hEventObject, LONG lNetworkEvents);
WINSOCK_API_LINKAGE int WSAAPI WSAEnumNetworkEvents(SOCKET s, WSAEVENT hEventObject, LPWSANETWORKEVENTS lpNetworkEvents);
WINSOCK_API_LINKAGE BOOL WSAAPI WSAGetOverlappedResult(SOCKET s, LPWSAOVERLAPPED lpOverlapped, LPDWORD lpcbTransfer, BOOL fWait, LPDWORD lpdwFlags);
WINSOCK_API_LINKAGE DWORD WSAAPI ProcessSocketNotifications(HANDLE completionPort, UINT32 registrationCount, SOCK_NOTIFY_REGISTRATION *registrationInfos, UINT32 timeoutMs, ULONG completionCount, OVERLAPPED_ENTRY *completionPortEntries, UINT32 *receivedEntryCount);

/* The protocol catalog. */
WINSOCK_API_LINKAGE int WSAAPI WSAEnumProtocolsA(LPINT lpiProtocols, LPWSAPROTOCOL_INFOA lpProtocolBuffer, LPDWORD lpdwBufferLength);
WINSOCK_API_LINKAGE int WSAAPI WSAEnumProtocolsW(LPINT lpiProtocols, LPWSAPROTOCOL_INFOW lpProtocolBuffer, LPDWORD lpdwBufferLength);
WINSOCK_API_LINKAGE INT WSAAPI WSAProviderConfigChange(LPHANDLE lpNotificationHandle, LPWSAOVERLAPPED lpOverlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE lpCompletionRoutine);

/* Addresses and names. */
WINSOCK_API_LINKAGE INT WSAAPI WSAAddressToStringA(LPSOCKADDR lpsaAddress, DWORD dwAddressLength, LPWSAPROTOCOL_INFOA lpProtocolInfo, LPSTR lpszAddressString, LPDWORD lpdwAddressStringLength);
WINSOCK_API_LINKAGE INT WSAAPI WSAAddressToStringW(LPSOCKADDR lpsaAddress, DWORD dwAddressLength, LPWSAPROTOCOL_INFOW lpProtocolInfo, LPWSTR lpszAddressString, LPDWORD lpdwAddressStringLength);
WINSOCK_API_LINKAGE INT WSAAPI WSAStringToAddressA(LPSTR AddressString, INT AddressFamily, LPWSAPROTOCOL_INFOA lpProtocolInfo, LPSOCKADDR lpAddress, LPINT lpAddressLength);
WINSOCK_API_LINKAGE INT WSAAPI WSAStringToAddressW(LPWSTR AddressString, INT AddressFamily, LPWSAPROTOCOL_INFOW lpProtocolInfo, LPSOCKADDR lpAddress, LPINT lpAddressLength);
WINSOCK_API_LINKAGE int WSAAPI GetHostNameW(PWSTR name, int namelen);
WINSOCK_API_LINKAGE INT WSAAPI WSALookupServiceBeginA(LPWSAQUERYSETA lpqsRestrictions, DWORD dwControlFlags, LPHANDLE lphLookup);
WINSOCK_API_LINKAGE INT WSAAPI WSALookupServiceBeginW(LPWSAQUERYSETW lpqsRestrictions, DWORD dwControlFlags, LPHANDLE lphLookup);
WINSOCK_API_LINKAGE INT WSAAPI WSALookupServiceNextA(HANDLE hLookup, DWORD dwControlFlags, LPDWORD lpdwBufferLength, LPWSAQUERYSETA lpqsResults);
WINSOCK_API_LINKAGE INT WSAAPI WSALookupServiceNextW(HANDLE hLookup, DWORD dwControlFlags, LPDWORD lpdwBufferLength, LPWSAQUERYSETW lpqsResults);
WINSOCK_API_LINKAGE INT WSAAPI WSALookupServiceEnd(HANDLE hLookup);
WINSOCK_API_LINKAGE INT WSAAPI WSANSPIoctl(HANDLE hLookup, DWORD dwControlCode, LPVOID lpvInBuffer, DWORD cbInBuffer, LPVOID lpvOutBuffer, DWORD cbOutBuffer, LPDWORD lpcbBytesReturned, LPWSACOMPLETION lpCompletion);
WINSOCK_API_LINKAGE INT WSAAPI WSASetServiceA(LPWSAQUERYSETA lpqsRegInfo, WSAESETSERVICEOP essoperation, DWORD dwControlFlags);
WINSOCK_API_LINKAGE INT WSAAPI WSASetServiceW(LPWSAQUERYSETW lpqsRegInfo, WSAESETSERVICEOP essoperation, DWORD dwControlFlags);
WINSOCK_API_LINKAGE INT WSAAPI WSAInstallServiceClassA(LPWSASERVICECLASSINFOA lpServiceClassInfo);
WINSOCK_API_LINKAGE INT WSAAPI WSAInstallServiceClassW(LPWSASERVICECLASSINFOW lpServiceClassInfo);
WINSOCK_API_LINKAGE INT WSAAPI WSARemoveServiceClass(LPGUID lpServiceClassId);
WINSOCK_API_LINKAGE INT WSAAPI WSAGetServiceClassInfoA(LPGUID lpProviderId, LPGUID lpServiceClassId, LPDWORD lpdwBufSize, LPWSASERVICECLASSINFOA lpServiceClassInfo);
WINSOCK_API_LINKAGE INT WSAAPI WSAGetServiceClassInfoW(LPGUID lpProviderId, LPGUID lpServiceClassId, LPDWORD lpdwBufSize, LPWSASERVICECLASSINFOW lpServiceClassInfo);
WINSOCK_API_LINKAGE INT WSAAPI WSAGetServiceClassNameByClassIdA(LPGUID lpServiceClassId, LPSTR lpszServiceClassName, LPDWORD lpdwBufferLength);
WINSOCK_API_LINKAGE INT WSAAPI WSAGetServiceClassNameByClassIdW(LPGUID lpServiceClassId, LPWSTR lpszServiceClassName, LPDWORD lpdwBufferLength);
WINSOCK_API_LINKAGE INT WSAAPI WSAEnumNameSpaceProvidersA(LPDWORD lpdwBufferLength, LPWSANAMESPACE_INFOA lpnspBuffer);
WINSOCK_API_LINKAGE INT WSAAPI WSAEnumNameSpaceProvidersW(LPDWORD lpdwBufferLength, LPWSANAMESPACE_INFOW lpnspBuffer);
WINSOCK_API_LINKAGE INT WSAAPI WSAEnumNameSpaceProvidersExA(LPDWORD lpdwBufferLength, LPWSANAMESPACE_INFOEXA lpnspBuffer);
WINSOCK_API_LINKAGE INT WSAAPI WSAEnumNameSpaceProvidersExW(LPDWORD lpdwBufferLength, LPWSANAMESPACE_INFOEXW lpnspBuffer);

#define WSASocket UPCALL_AW(WSASocket)
#define WSAConnectByName UPCALL_AW(WSAConnectByName)
#define WSADuplicateSocket UPCALL_AW(WSADuplicateSocket)
#define WSAEnumProtocols UPCALL_AW(WSAEnumProtocols)
#define WSAAddressToString UPCALL_AW(WSAAddressToString)
#define WSAStringToAddress UPCALL_AW(WSAStringToAddress)
#define WSALookupServiceBegin UPCALL_AW(WSALookupServiceBegin)
#define WSALookupServiceNext UPCALL_AW(WSALookupServiceNext)
#define WSASetService UPCALL_AW(WSASetService)
#define WSAInstallServiceClass UPCALL_AW(WSAInstallServiceClass)
#define WSAGetServiceClassInfo UPCALL_AW(WSAGetServiceClassInfo)
#define WSAGetServiceClassNameByClassId UPCALL_AW(WSAGetServiceClassNameByClassId)
#define WSAEnumNameSpaceProviders UPCALL_AW(WSAEnumNameSpaceProviders)
#define WSAEnumNameSpaceProvidersEx UPCALL_AW(WSAEnumNameSpaceProvidersEx)

/* LPFN_NAME, the type of a pointer to each function. */
#if defined INCL_WINSOCK_API_TYPEDEFS && INCL_WINSOCK_API_TYPEDEFS
typedef __typeof__(&accept) LPFN_ACCEPT;
typedef __typeof__(&bind) LPFN_BIND;
typedef __typeof__(&closesocket) LPFN_CLOSESOCKET;
typedef __typeof__(&connect) LPFN_CONNECT;
typedef int (WSAAPI *LPFN_IOCTLSOCKET)(SOCKET s, LONG cmd, u_long *argp);
typedef __typeof__(&getpeername) LPFN_GETPEERNAME;
typedef __typeof__(&getsockname) LPFN_GETSOCKNAME;
typedef __typeof__(&getsockopt) LPFN_GETSOCKOPT;
typedef __typeof__(&htonl) LPFN_HTONL;
typedef __typeof__(&htons) LPFN_HTONS;
typedef __typeof__(&inet_addr) LPFN_INET_ADDR;
typedef __typeof__(&inet_ntoa) LPFN_INET_NTOA;
typedef __typeof__(&listen) LPFN_LISTEN;
typedef __typeof__(&ntohl) LPFN_NTOHL;
typedef __typeof__(&ntohs) LPFN_NTOHS;
typedef __typeof__(&recv) LPFN_RECV;
typedef __typeof__(&recvfrom) LPFN_RECVFROM;
typedef __typeof__(&select) LPFN_SELECT;
typedef __typeof__(&send) LPFN_SEND;
typedef __typeof__(&sendto) LPFN_SENDTO;
typedef __typeof__(&setsockopt) LPFN_SETSOCKOPT;
typedef __typeof__(&shutdown) LPFN_SHUTDOWN;
typedef __typeof__(&socket) LPFN_SOCKET;
typedef __typeof__(&gethostbyaddr) LPFN_GETHOSTBYADDR;
typedef __typeof__(&gethostbyname) LPFN_GETHOSTBYNAME;
typedef __typeof__(&gethostname) LPFN_GETHOSTNAME;
typedef __typeof__(&getservbyport) LPFN_GETSERVBYPORT;
typedef __typeof__(&getservbyname) LPFN_GETSERVBYNAME;
typedef __typeof__(&getprotobynumber) LPFN_GETPROTOBYNUMBER;
typedef __typeof__(&getprotobyname) LPFN_GETPROTOBYNAME;
typedef __typeof__(&WSAStartup) LPFN_WSASTARTUP;
typedef __typeof__(&WSACleanup) LPFN_WSACLEANUP;
typedef __typeof__(&WSASetLastError) LPFN_WSASETLASTERROR;
typedef __typeof__(&WSAGetLastError) LPFN_WSAGETLASTERROR;
typedef __typeof__(&WSAIsBlocking) LPFN_WSAISBLOCKING;
typedef __typeof__(&WSAUnhookBlockingHook) LPFN_WSAUNHOOKBLOCKINGHOOK;
typedef __typeof__(&WSASetBlockingHook) LPFN_WSASETBLOCKINGHOOK;
typedef __typeof__(&WSACancelBlockingCall) LPFN_WSACANCELBLOCKINGCALL;
typedef __typeof__(&WSAAsyncGetServByName) LPFN_WSAASYNCGETSERVBYNAME;
typedef __typeof__(&WSAAsyncGetServByPort) LPFN_WSAASYNCGETSERVBYPORT;
typedef __typeof__(&WSAAsyncGetProtoByName) LPFN_WSAASYNCGETPROTOBYNAME;
typedef __typeof__(&WSAAsyncGetProtoByNumber) LPFN_WSAASYNCGETPROTOBYNUMBER;
typedef __typeof__(&WSAAsyncGetHostByName) LPFN_WSAASYNCGETHOSTBYNAME;
typedef __typeof__(&WSAAsyncGetHostByAddr) LPFN_WSAASYNCGETHOSTBYADDR;
typedef __typeof__(&WSACancelAsyncRequest) LPFN_WSACANCELASYNCREQUEST;
typedef __typeof__(&WSAAsyncSelect) LPFN_WSAASYNCSELECT;
typedef __typeof__(&WSASocketA) LPFN_WSASOCKETA;
typedef __typeof__(&WSASocketW) LPFN_WSASOCKETW;
typedef __typeof__(&WSAAccept) LPFN_WSAACCEPT;
typedef __typeof__(&WSAConnect) LPFN_WSACONNECT;
typedef __typeof__(&WSAConnectByNameA) LPFN_WSACONNECTBYNAMEA;
typedef __typeof__(&WSAConnectByNameW) LPFN_WSACONNECTBYNAMEW;
typedef __typeof__(&WSAConnectByList) LPFN_WSACONNECTBYLIST;
typedef __typeof__(&WSAJoinLeaf) LPFN_WSAJOINLEAF;
typedef __typeof__(&WSADuplicateSocketA) LPFN_WSADUPLICATESOCKETA;
typedef __typeof__(&WSADuplicateSocketW) LPFN_WSADUPLICATESOCKETW;
typedef __typeof__(&WSASend) LPFN_WSASEND;
typedef __typeof__(&WSASendTo) LPFN_WSASENDTO;
typedef __typeof__(&WSASendDisconnect) LPFN_WSASENDDISCONNECT;
typedef __typeof__(&WSARecv) LPFN_WSARECV;
typedef __typeof__(&WSARecvFrom) LPFN_WSARECVFROM;
typedef __typeof__(&WSARecvDisconnect) LPFN_WSARECVDISCONNECT;
typedef __typeof__(&WSAIoctl) LPFN_WSAIOCTL;
typedef __typeof__(&WSAGetQOSByName) LPFN_WSAGETQOSBYNAME;
typedef __typeof__(&WSAHtonl) LPFN_WSAHTONL;
typedef __typeof__(&WSAHtons) LPFN_WSAHTONS;
typedef __typeof__(&WSANtohl) LPFN_WSANTOHL;
typedef __typeof__(&WSANtohs) LPFN_WSANTOHS;
typedef __typeof__(&WSACreateEvent) LPFN_WSACREATEEVENT;
typedef __typeof__(&WSACloseEvent) LPFN_WSACLOSEEVENT;
typedef __typeof__(&WSASetEvent) LPFN_WSASETEVENT;
typedef __typeof__(&WSAResetEvent) LPFN_WSARESETEVENT;
typedef __typeof__(&WSAWaitForMultipleEvents) LPFN_WSAWAITFORMULTIPLEEVENTS;
typedef __typeof__(&WSAEventSelect) LPFN_WSAEVENTSELECT;
typedef __typeof__(&WSAEnumNetworkEvents) LPFN_WSAENUMNETWORKEVENTS;
typedef __typeof__(&WSAGetOverlappedResult) LPFN_WSAGETOVERLAPPEDRESULT;
typedef __typeof__(&ProcessSocketNotifications) LPFN_PROCESSSOCKETNOTIFICATIONS;
typedef __typeof__(&WSAEnumProtocolsA) LPFN_WSAENUMPROTOCOLSA;
typedef __typeof__(&WSAEnumProtocolsW) LPFN_WSAENUMPROTOCOLSW;
typedef __typeof__(&WSAProviderConfigChange) LPFN_WSAPROVIDERCONFIGCHANGE;
typedef __typeof__(&WSAAddressToStringA) LPFN_WSAADDRESSTOSTRINGA;
typedef __typeof__(&WSAAddressToStringW) LPFN_WSAADDRESSTOSTRINGW;
typedef __typeof__(&WSAStringToAddressA) LPFN_WSASTRINGTOADDRESSA;
typedef __typeof__(&WSAStringToAddressW) LPFN_WSASTRINGTOADDRESSW;
typedef __typeof__(&GetHostNameW) LPFN_GETHOSTNAMEW;
typedef __typeof__(&WSALookupServiceBeginA) LPFN_WSALOOKUPSERVICEBEGINA;
typedef __typeof__(&WSALookupServiceBeginW) LPFN_WSALOOKUPSERVICEBEGINW;
typedef __typeof__(&WSALookupServiceNextA) LPFN_WSALOOKUPSERVICENEXTA;
typedef __typeof__(&WSALookupServiceNextW) LPFN_WSALOOKUPSERVICENEXTW;
typedef __typeof__(&WSALookupServiceEnd) LPFN_WSALOOKUPSERVICEEND;
typedef __typeof__(&WSANSPIoctl) LPFN_WSANSPIOCTL;
typedef __typeof__(&WSASetServiceA) LPFN_WSASETSERVICEA;
typedef __typeof__(&WSASetServiceW) LPFN_WSASETSERVICEW;
typedef __typeof__(&WSAInstallServiceClassA) LPFN_WSAINSTALLSERVICECLASSA;
typedef __typeof__(&WSAInstallServiceClassW) LPFN_WSAINSTALLSERVICECLASSW;
typedef __typeof__(&WSARemoveServiceClass) LPFN_WSAREMOVESERVICECLASS;
typedef __typeof__(&WSAGetServiceClassInfoA) LPFN_WSAGETSERVICECLASSINFOA;
typedef __typeof__(&WSAGetServiceClassInfoW) LPFN_WSAGETSERVICECLASSINFOW;
typedef __typeof__(&WSAGetServiceClassNameByClassIdA) LPFN_WSAGETSERVICECLASSNAMEBYCLASSIDA;
typedef __typeof__(&WSAGetServiceClassNameByClassIdW) LPFN_WSAGETSERVICECLASSNAMEBYCLASSIDW;
typedef __typeof__(&WSAEnumNameSpaceProvidersA) LPFN_WSAENUMNAMESPACEPROVIDERSA;
typedef __typeof__(&WSAEnumNameSpaceProvidersW) LPFN_WSAENUMNAMESPACEPROVIDERSW;
typedef __typeof__(&WSAEnumNameSpaceProvidersExA) LPFN_WSAENUMNAMESPACEPROVIDERSEXA;
typedef __typeof__(&WSAEnumNameSpaceProvidersExW) LPFN_WSAENUMNAMESPACEPROVIDERSEXW;
#define LPFN_WSASOCKET UPCALL_AW(LPFN_WSASOCKET)
#define LPFN_WSACONNECTBYNAME UPCALL_AW(LPFN_WSACONNECTBYNAME)
#define LPFN_WSADUPLICATESOCKET UPCALL_AW(LPFN_WSADUPLICATESOCKET)
#define LPFN_WSAENUMPROTOCOLS UPCALL_AW(LPFN_WSAENUMPROTOCOLS)
#define LPFN_WSAADDRESSTOSTRING UPCALL_AW(LPFN_WSAADDRESSTOSTRING)
#define LPFN_WSASTRINGTOADDRESS UPCALL_AW(LPFN_WSASTRINGTOADDRESS)
#define LPFN_WSALOOKUPSERVICEBEGIN UPCALL_AW(LPFN_WSALOOKUPSERVICEBEGIN)
#define LPFN_WSALOOKUPSERVICENEXT UPCALL_AW(LPFN_WSALOOKUPSERVICENEXT)
#define LPFN_WSASETSERVICE UPCALL_AW(LPFN_WSASETSERVICE)
#define LPFN_WSAINSTALLSERVICECLASS UPCALL_AW(LPFN_WSAINSTALLSERVICECLASS)
#define LPFN_WSAGETSERVICECLASSINFO UPCALL_AW(LPFN_WSAGETSERVICECLASSINFO)
#define LPFN_WSAGETSERVICECLASSNAMEBYCLASSID UPCALL_AW(LPFN_WSAGETSERVICECLASSNAMEBYCLASSID)
#define LPFN_WSAENUMNAMESPACEPROVIDERS UPCALL_AW(LPFN_WSAENUMNAMESPACEPROVIDERS)
#define LPFN_WSAENUMNAMESPACEPROVIDERSEX UPCALL_AW(LPFN_WSAENUMNAMESPACEPROVIDERSEX)
#endif

#ifdef __cplusplus
}
#endif

#endif
