/*
 * What compilers for Windows have built in. Only macros: a program may see this
 * before its first line; see ../upcall_win32.h.
 */
#ifndef UPCALL_DETAIL_COMPILER_H
#define UPCALL_DETAIL_COMPILER_H

/* Calling conventions: there is one. */
#ifndef __stdcall
#define __stdcall
#define __cdecl
#define __fastcall
#define _stdcall
#define _cdecl
#endif

/* __declspec(x): what a socket program or a provider writes there. */
#ifndef __declspec
#define __declspec(x) UPCALL_DECLSPEC_##x
#define UPCALL_DECLSPEC_dllexport __attribute__((visibility("default")))
#define UPCALL_DECLSPEC_dllimport
#define UPCALL_DECLSPEC_noinline __attribute__((noinline))
#define UPCALL_DECLSPEC_noreturn __attribute__((noreturn))
#define UPCALL_DECLSPEC_nothrow __attribute__((nothrow))
#define UPCALL_DECLSPEC_selectany __attribute__((weak))
#define UPCALL_DECLSPEC_thread __thread
#define UPCALL_DECLSPEC_align(n) __attribute__((aligned(n)))
#define UPCALL_DECLSPEC_deprecated(text) __attribute__((deprecated))
#endif
#ifndef __forceinline
#define __forceinline __inline__ __attribute__((always_inline))
#endif

#ifndef __int64
#define __int8 char
#define __int16 short
#define __int32 int
#define __int64 long long
#endif

#endif
