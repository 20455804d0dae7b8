/* Winsock's command codes stay what they are; see ../detail/system.h. */
#pragma GCC system_header
#ifdef UPCALL_DETAIL_SOCKETS_H
#pragma push_macro("IOC_IN")
#pragma push_macro("IOC_OUT")
#pragma push_macro("IOC_INOUT")
#pragma push_macro("FIONREAD")
#pragma push_macro("FIONBIO")
#pragma push_macro("FIOASYNC")
#pragma push_macro("SIOCATMARK")
#include_next <sys/ioctl.h>
#pragma pop_macro("IOC_IN")
#pragma pop_macro("IOC_OUT")
#pragma pop_macro("IOC_INOUT")
#pragma pop_macro("FIONREAD")
#pragma pop_macro("FIONBIO")
#pragma pop_macro("FIOASYNC")
#pragma pop_macro("SIOCATMARK")
#else
#include_next <sys/ioctl.h>
#endif
