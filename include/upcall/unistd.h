/* The system's header sees its own gethostname; see detail/system.h. */
#pragma GCC system_header
#pragma push_macro("gethostname")
#undef gethostname
#include_next <unistd.h>
#pragma pop_macro("gethostname")
