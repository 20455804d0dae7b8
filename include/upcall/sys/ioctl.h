/* Winsock's command codes stay what they are; see ../detail/system.h. */
#pragma GCC system_header
#include_next <sys/ioctl.h>
#ifdef UPCALL_FIONREAD
#undef FIONREAD
#undef FIONBIO
#undef FIOASYNC
#undef SIOCATMARK
#define FIONREAD UPCALL_FIONREAD
#define FIONBIO UPCALL_FIONBIO
#define FIOASYNC UPCALL_FIOASYNC
#define SIOCATMARK UPCALL_SIOCATMARK
#endif
