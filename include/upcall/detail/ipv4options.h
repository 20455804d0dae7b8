/* Options at level IPPROTO_IP that Winsock 1.1 has, too; the numbers are Winsock 2's. */
#ifndef UPCALL_DETAIL_IPV4OPTIONS_H
#define UPCALL_DETAIL_IPV4OPTIONS_H

#include <inaddr.h>

#define IP_OPTIONS 1
#define IP_TOS 3
#define IP_TTL 4
#define IP_MULTICAST_IF 9
#define IP_MULTICAST_TTL 10
#define IP_MULTICAST_LOOP 11
#define IP_ADD_MEMBERSHIP 12
#define IP_DROP_MEMBERSHIP 13
#define IP_DONTFRAGMENT 14

#define IP_DEFAULT_MULTICAST_TTL 1
#define IP_DEFAULT_MULTICAST_LOOP 1
#define IP_MAX_MEMBERSHIPS 20

typedef struct ip_mreq {
	struct in_addr imr_multiaddr;
	struct in_addr imr_interface;
} IP_MREQ, *PIP_MREQ;

#endif
