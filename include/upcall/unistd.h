/* The system's header sees its own names; see detail/system.h. */
#pragma GCC system_header
#pragma push_macro("gethostname")
#pragma push_macro("socklen_t")
#undef gethostname
#undef socklen_t
#include_next <unistd.h>
#pragma pop_macro("gethostname")
#pragma pop_macro("socklen_t")
