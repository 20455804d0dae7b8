/* Integers by their widths on 64-bit Windows, where long has 32 bits. */
#ifndef UPCALL_BASETSD_H
#define UPCALL_BASETSD_H

typedef signed char INT8, *PINT8;
typedef short INT16, *PINT16;
typedef int INT32, *PINT32;
typedef long long INT64, *PINT64;
typedef unsigned char UINT8, *PUINT8;
typedef unsigned short UINT16, *PUINT16;
typedef unsigned int UINT32, *PUINT32;
typedef unsigned long long UINT64, *PUINT64;
typedef int LONG32, *PLONG32;
typedef long long LONG64, *PLONG64;
typedef unsigned int ULONG32, *PULONG32, DWORD32, *PDWORD32;
typedef unsigned long long ULONG64, *PULONG64, DWORD64, *PDWORD64;

/* As wide as a pointer, and the same type as intptr_t and size_t. */
typedef __INTPTR_TYPE__ INT_PTR, *PINT_PTR, LONG_PTR, *PLONG_PTR, SSIZE_T, *PSSIZE_T;
typedef __UINTPTR_TYPE__ UINT_PTR, *PUINT_PTR, ULONG_PTR, *PULONG_PTR, DWORD_PTR, *PDWORD_PTR, SIZE_T, *PSIZE_T;

#define HandleToLong(h) ((INT32)(INT_PTR)(h))
#define HandleToULong(h) ((UINT32)(UINT_PTR)(h))
#define LongToHandle(l) ((void *)(INT_PTR)(INT32)(l))
#define ULongToHandle(l) ((void *)(UINT_PTR)(UINT32)(l))
#define PtrToLong(p) ((INT32)(INT_PTR)(p))
#define PtrToUlong(p) ((UINT32)(UINT_PTR)(p))

#endif
