/* Threads of the C run-time library. */
#ifndef UPCALL_PROCESS_H
#define UPCALL_PROCESS_H

#include <stdint.h>

#include <windef.h>

#ifdef __cplusplus
extern "C" {
#endif

uintptr_t __cdecl _beginthreadex(void *security, unsigned stack_size, unsigned (__stdcall *start_address)(void *), void *arglist, unsigned initflag, unsigned *thrdaddr);
DECLSPEC_NORETURN void __cdecl _endthreadex(unsigned retval);
/* Its thread closes the handle when it ends; -1 and errno on failure. */
uintptr_t __cdecl _beginthread(void (__cdecl *start_address)(void *), unsigned stack_size, void *arglist);
DECLSPEC_NORETURN void __cdecl _endthread(void);

/* libc's. */
int __cdecl _getpid(void) __asm__("getpid");

#ifdef __cplusplus
}
#endif

#endif
