/*
 * Winsock 1.1. A program is linked with the same library as one of Winsock 2;
 * the version that it asks WSAStartup for decides which behaviour it gets.
 */
#ifndef _WINSOCKAPI_
#define _WINSOCKAPI_

#include "detail/functions.h"

#include <windows.h>

#include "detail/ipv4options.h"
#include "detail/transmit.h"

#define WINSOCK_VERSION MAKEWORD(1, 1)
#define SOMAXCONN 5

#endif
