/* The system's header sees its own timeval; see ../detail/system.h. */
#pragma GCC system_header
#pragma push_macro("timeval")
#undef timeval
#include_next <sys/timex.h>
#pragma pop_macro("timeval")
