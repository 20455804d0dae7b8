/* gettimeofday for Winsock's timeval, once both headers are included. */
#if defined UPCALL_SYS_TIME_SEEN && defined UPCALL_TIMEVAL_DEFINED && !defined UPCALL_GETTIMEOFDAY
#define UPCALL_GETTIMEOFDAY
#define gettimeofday upcall_gettimeofday
#ifdef __cplusplus
extern "C"
#endif
int gettimeofday(struct timeval *tv, void *timezone);
#endif
