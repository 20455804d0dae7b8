/*
 * The basic types of Windows at their Windows widths: LONG and DWORD have 32
 * bits although long has 64 here. Print a DWORD with %u.
 *
 * WCHAR has 16 bits, the C library's wchar_t has 32. Wide literals are u"text"
 * (C11, C++11), or TEXT("text") with UNICODE. A program that is full of L"text"
 * and calls none of libc's wcs functions can be compiled with -fshort-wchar:
 * WCHAR is wchar_t then.
 */
#ifndef UPCALL_WINDEF_H
#define UPCALL_WINDEF_H

#if !defined __GNUC__ || !defined __LP64__
#error "these headers are for gcc and clang on 64-bit Linux"
#endif
#if !defined __cplusplus && (!defined __STDC_VERSION__ || __STDC_VERSION__ < 199901L)
#error "these headers need C11 or C++11; -std=gnu99 will do"
#elif defined __cplusplus && __cplusplus < 201103L
#error "these headers need C++11 (-std=c++11 or later)"
#endif

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#ifndef _WIN32_WINNT
#define _WIN32_WINNT 0x0A00
#endif
#ifndef WINVER
#define WINVER _WIN32_WINNT
#endif

#include <basetsd.h>

#include "detail/compiler.h"

/* Calling conventions: there is one. */
#define WINAPI
#define APIENTRY WINAPI
#define WINAPIV
#define CALLBACK
#define PASCAL
#define NTAPI
#define APIPRIVATE
#define FAR
#define NEAR
#define CONST const
#ifndef IN
#define IN
#endif
#ifndef OUT
#define OUT
#endif
#ifndef OPTIONAL
#define OPTIONAL
#endif

#define DECLSPEC_IMPORT
#define DECLSPEC_NORETURN __attribute__((noreturn))
#define DECLSPEC_ALIGN(n) __attribute__((aligned(n)))
#define FORCEINLINE __forceinline
#define UNALIGNED

#define VOID void
typedef void *PVOID, *LPVOID;
typedef const void *LPCVOID, *PCVOID;

typedef char CHAR, *PCHAR, *LPCH, *PCH;
typedef signed char SCHAR;
typedef unsigned char UCHAR, *PUCHAR, BYTE, *PBYTE, *LPBYTE, BOOLEAN, *PBOOLEAN;
typedef short SHORT, *PSHORT;
typedef unsigned short USHORT, *PUSHORT, WORD, *PWORD, *LPWORD, ATOM;
typedef int INT, *PINT, *LPINT, LONG, *PLONG, *LPLONG, BOOL, *PBOOL, *LPBOOL, WINBOOL;
typedef unsigned int UINT, *PUINT, ULONG, *PULONG, DWORD, *PDWORD, *LPDWORD;
typedef long long LONGLONG, *PLONGLONG;
typedef unsigned long long ULONGLONG, *PULONGLONG, DWORDLONG, *PDWORDLONG;
typedef float FLOAT, *PFLOAT;
typedef double DOUBLE;
typedef int HFILE;
typedef int HRESULT, NTSTATUS;

#if __SIZEOF_WCHAR_T__ == 2
typedef wchar_t WCHAR;
#define UPCALL_WIDE(text) L##text
#elif defined __cplusplus
typedef char16_t WCHAR;
#define UPCALL_WIDE(text) u##text
#else
typedef __CHAR16_TYPE__ WCHAR;
#define UPCALL_WIDE(text) u##text
#endif
typedef WCHAR *PWCHAR, *LPWCH, *PWCH, *LPWSTR, *PWSTR, *NWPSTR;
typedef const WCHAR *LPCWCH, *PCWCH, *LPCWSTR, *PCWSTR;
typedef char *LPSTR, *PSTR;
typedef const char *LPCSTR, *PCSTR, *LPCCH, *PCCH;

/* UNICODE chooses between the A and the W form of a name. */
#ifdef UNICODE
#define UPCALL_AW(name) name##W
typedef WCHAR TCHAR, *PTCHAR, TBYTE;
typedef LPWSTR LPTSTR, PTSTR;
typedef LPCWSTR LPCTSTR, PCTSTR;
#define __TEXT(text) UPCALL_WIDE(text)
#else
#define UPCALL_AW(name) name##A
typedef char TCHAR, *PTCHAR, TBYTE;
typedef LPSTR LPTSTR, PTSTR;
typedef LPCSTR LPCTSTR, PCTSTR;
#define __TEXT(text) text
#endif
#define TEXT(text) __TEXT(text)

typedef void *HANDLE, **PHANDLE, **LPHANDLE;
typedef HANDLE HGLOBAL, HLOCAL;
#define DECLARE_HANDLE(name) struct name##__ { int unused; }; typedef struct name##__ *name
DECLARE_HANDLE(HINSTANCE);
DECLARE_HANDLE(HWND);
DECLARE_HANDLE(HICON);
DECLARE_HANDLE(HBRUSH);
DECLARE_HANDLE(HMENU);
typedef HINSTANCE HMODULE;
typedef HICON HCURSOR;

typedef UINT_PTR WPARAM;
typedef LONG_PTR LPARAM, LRESULT;

/*
 * A procedure of any type. On Windows it returns INT_PTR; void (*)(void) is the
 * type that gcc lets be cast to any other without a warning.
 */
typedef void (WINAPI *FARPROC)(void);
typedef FARPROC NEARPROC, PROC;

typedef struct tagPOINT {
	LONG x;
	LONG y;
} POINT, *PPOINT, *LPPOINT;

typedef struct _FILETIME {
	DWORD dwLowDateTime;
	DWORD dwHighDateTime;
} FILETIME, *PFILETIME, *LPFILETIME;

#ifndef FALSE
#define FALSE 0
#endif
#ifndef TRUE
#define TRUE 1
#endif
#define MAX_PATH 260

#define MAKEWORD(low, high) ((WORD)((BYTE)((DWORD_PTR)(low) & 0xff) | ((WORD)((BYTE)((DWORD_PTR)(high) & 0xff))) << 8))
#define MAKELONG(low, high) ((LONG)((WORD)((DWORD_PTR)(low) & 0xffff) | ((DWORD)((WORD)((DWORD_PTR)(high) & 0xffff))) << 16))
#define LOWORD(l) ((WORD)((DWORD_PTR)(l) & 0xffff))
#define HIWORD(l) ((WORD)(((DWORD_PTR)(l) >> 16) & 0xffff))
#define LOBYTE(w) ((BYTE)((DWORD_PTR)(w) & 0xff))
#define HIBYTE(w) ((BYTE)(((DWORD_PTR)(w) >> 8) & 0xff))
#define MAKEWPARAM(low, high) ((WPARAM)(DWORD)MAKELONG(low, high))
#define MAKELPARAM(low, high) ((LPARAM)(DWORD)MAKELONG(low, high))
#define MAKELRESULT(low, high) ((LRESULT)(DWORD)MAKELONG(low, high))

#if !defined __cplusplus && !defined NOMINMAX
#ifndef min
#define min(a, b) ((a) < (b) ? (a) : (b))
#endif
#ifndef max
#define max(a, b) ((a) > (b) ? (a) : (b))
#endif
#endif

#include <winnt.h>

#endif
