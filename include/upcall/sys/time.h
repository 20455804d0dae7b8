/* The system's header sees its own timeval; see ../detail/system.h. */
#pragma GCC system_header
#pragma push_macro("timeval")
#pragma push_macro("gettimeofday")
#undef timeval
#undef gettimeofday
#include_next <sys/time.h>
#pragma pop_macro("timeval")
#pragma pop_macro("gettimeofday")
#define UPCALL_SYS_TIME_SEEN
#include "../detail/gettimeofday.h"
