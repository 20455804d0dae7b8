/* An IPv6 address. */
#ifndef UPCALL_IN6ADDR_H
#define UPCALL_IN6ADDR_H

#include "detail/types.h"

typedef struct in6_addr {
	union {
		u_char Byte[16];
		u_short Word[8];
	} u;
} IN6_ADDR, *PIN6_ADDR, *LPIN6_ADDR;

#define in_addr6 in6_addr
#define s6_addr u.Byte
#define s6_bytes u.Byte
#define s6_words u.Word

#endif
