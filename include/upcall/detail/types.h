/* SOCKET and the Berkeley integer types. */
#ifndef UPCALL_DETAIL_TYPES_H
#define UPCALL_DETAIL_TYPES_H

#include "system.h"

#include <windef.h>

typedef unsigned char u_char;
typedef unsigned short u_short;
typedef unsigned int u_int;
typedef unsigned int u_long;
typedef unsigned long long u_int64;

typedef UINT_PTR SOCKET;

#define INVALID_SOCKET ((SOCKET)(~0))
#define SOCKET_ERROR (-1)

#endif
