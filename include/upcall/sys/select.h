/* Keeps the program's FD_SETSIZE, which glibc replaces, for <winsock2.h>. */
#pragma GCC system_header
#ifndef UPCALL_SYS_SELECT_SEEN
#define UPCALL_SYS_SELECT_SEEN
#pragma push_macro("FD_SETSIZE")
#endif
#include_next <sys/select.h>
