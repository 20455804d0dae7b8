/*
 * The network adapters' addresses, as far as the programs look. There is no iphlpapi.dll: a program that
 * looks for it with LoadLibrary does without.
 */
#ifndef PROGRAMS_IPHLPAPI_H
#define PROGRAMS_IPHLPAPI_H

#include <winsock2.h>

#define GAA_FLAG_SKIP_ANYCAST 0x0002
#define GAA_FLAG_SKIP_MULTICAST 0x0004
#define GAA_FLAG_SKIP_DNS_SERVER 0x0008

typedef struct _IP_ADAPTER_UNICAST_ADDRESS {
	ULONG Length;
	DWORD Flags;
	struct _IP_ADAPTER_UNICAST_ADDRESS *Next;
	SOCKET_ADDRESS Address;
} IP_ADAPTER_UNICAST_ADDRESS;

typedef struct _IP_ADAPTER_ADDRESSES {
	ULONG Length;
	DWORD IfIndex;
	struct _IP_ADAPTER_ADDRESSES *Next;
	PCHAR AdapterName;
	IP_ADAPTER_UNICAST_ADDRESS *FirstUnicastAddress;
} IP_ADAPTER_ADDRESSES, *PIP_ADAPTER_ADDRESSES;

typedef struct _IP_ADDR_STRING {
	struct _IP_ADDR_STRING *Next;
	struct {
		char String[16];
	} IpAddress;
} IP_ADDR_STRING;

typedef struct {
	char HostName[132];
	char DomainName[132];
	IP_ADDR_STRING *CurrentDnsServer;
	IP_ADDR_STRING DnsServerList;
} FIXED_INFO;

#endif
