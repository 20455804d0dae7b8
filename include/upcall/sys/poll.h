/* Either the system's sockets or Winsock's; see detail/system.h. */
#pragma GCC system_header
#ifdef UPCALL_DETAIL_SYSTEM_H
#error "<sys/poll.h> was included after Winsock's headers: a source file can use one of the two; leave the system's out"
#else
#include_next <sys/poll.h>
#endif
