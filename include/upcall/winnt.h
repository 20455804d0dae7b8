/* Types and numbers of the system itself, and the interlocked operations. */
#ifndef UPCALL_WINNT_H
#define UPCALL_WINNT_H

#include <windef.h>

#include <guiddef.h>

typedef union _LARGE_INTEGER {
	__extension__ struct {
		DWORD LowPart;
		LONG HighPart;
	};
	struct {
		DWORD LowPart;
		LONG HighPart;
	} u;
	LONGLONG QuadPart;
} LARGE_INTEGER, *PLARGE_INTEGER;

typedef union _ULARGE_INTEGER {
	__extension__ struct {
		DWORD LowPart;
		DWORD HighPart;
	};
	struct {
		DWORD LowPart;
		DWORD HighPart;
	} u;
	ULONGLONG QuadPart;
} ULARGE_INTEGER, *PULARGE_INTEGER;

typedef struct _LIST_ENTRY {
	struct _LIST_ENTRY *Flink;
	struct _LIST_ENTRY *Blink;
} LIST_ENTRY, *PLIST_ENTRY;

#define MAXIMUM_WAIT_OBJECTS 64
#define MAX_NATURAL_ALIGNMENT 8
#define MINCHAR 0x80
#define MAXCHAR 0x7f
#define MAXSHORT 0x7fff
#define MAXWORD 0xffff
#define MAXLONG 0x7fffffff
#define MAXDWORD 0xffffffff
#define MAXULONG 0xffffffff
#define ANYSIZE_ARRAY 1

#define STATUS_WAIT_0 ((DWORD)0x00000000)
#define STATUS_SUCCESS ((NTSTATUS)0x00000000)
#define STATUS_ABANDONED_WAIT_0 ((DWORD)0x00000080)
#define STATUS_USER_APC ((DWORD)0x000000C0)
#define STATUS_TIMEOUT ((DWORD)0x00000102)
#define STATUS_PENDING ((DWORD)0x00000103)
#define STILL_ACTIVE STATUS_PENDING
#define STATUS_INVALID_HANDLE ((DWORD)0xC0000008)
#define STATUS_INVALID_PARAMETER ((DWORD)0xC000000D)
#define STATUS_NO_MEMORY ((DWORD)0xC0000017)
#define STATUS_ACCESS_VIOLATION ((DWORD)0xC0000005)
#define STATUS_CANCELLED ((DWORD)0xC0000120)
#define STATUS_CONTROL_C_EXIT ((DWORD)0xC000013A)

#define DELETE 0x00010000
#define READ_CONTROL 0x00020000
#define SYNCHRONIZE 0x00100000
#define STANDARD_RIGHTS_REQUIRED 0x000F0000
#define GENERIC_READ 0x80000000
#define GENERIC_WRITE 0x40000000
#define EVENT_MODIFY_STATE 0x0002
#define EVENT_ALL_ACCESS (STANDARD_RIGHTS_REQUIRED | SYNCHRONIZE | 0x3)
#define SEMAPHORE_MODIFY_STATE 0x0002
#define SEMAPHORE_ALL_ACCESS (STANDARD_RIGHTS_REQUIRED | SYNCHRONIZE | 0x3)

#define DLL_PROCESS_DETACH 0
#define DLL_PROCESS_ATTACH 1
#define DLL_THREAD_ATTACH 2
#define DLL_THREAD_DETACH 3

#define HEAP_NO_SERIALIZE 0x00000001
#define HEAP_GENERATE_EXCEPTIONS 0x00000004
#define HEAP_ZERO_MEMORY 0x00000008
#define HEAP_REALLOC_IN_PLACE_ONLY 0x00000010

#define PROCESSOR_ARCHITECTURE_INTEL 0
#define PROCESSOR_ARCHITECTURE_AMD64 9
#define PROCESSOR_ARCHITECTURE_ARM64 12
#define PROCESSOR_ARCHITECTURE_UNKNOWN 0xffff

#define LANG_NEUTRAL 0x00
#define SUBLANG_DEFAULT 0x01
#define MAKELANGID(primary, sub) ((WORD)((((WORD)(sub)) << 10) | (WORD)(primary)))

#define FIELD_OFFSET(type, field) ((LONG)offsetof(type, field))
#define RTL_FIELD_SIZE(type, field) (sizeof(((type *)0)->field))
#define CONTAINING_RECORD(address, type, field) ((type *)((PCHAR)(address) - offsetof(type, field)))
#define UNREFERENCED_PARAMETER(p) ((void)(p))
#define DBG_UNREFERENCED_PARAMETER(p) ((void)(p))
#define DBG_UNREFERENCED_LOCAL_VARIABLE(v) ((void)(v))
#ifdef __cplusplus
#define C_ASSERT(e) static_assert(e, #e)
#define TYPE_ALIGNMENT(type) alignof(type)
#else
#define C_ASSERT(e) _Static_assert(e, #e)
#define TYPE_ALIGNMENT(type) _Alignof(type)
#endif
#define ARRAYSIZE(a) (sizeof(a) / sizeof((a)[0]))
#ifndef _countof
#define _countof(a) (sizeof(a) / sizeof((a)[0]))
#endif

#define RtlMoveMemory(to, from, n) memmove((to), (from), (n))
#define RtlCopyMemory(to, from, n) memcpy((to), (from), (n))
#define RtlFillMemory(to, n, byte) memset((to), (byte), (n))
#define RtlZeroMemory(to, n) memset((to), 0, (n))
#define RtlEqualMemory(a, b, n) (!memcmp((a), (b), (n)))

#define MemoryBarrier() __sync_synchronize()
#if defined __x86_64__
#define YieldProcessor() __builtin_ia32_pause()
#else
#define YieldProcessor() __asm__ __volatile__("yield")
#endif

/*
 * The interlocked operations, full barriers all of them, for any integer of 32
 * or 64 bits: a Windows program's counter may be declared LONG or long. The Or,
 * And, Xor and ExchangeAdd forms return the old value.
 */
#ifdef __cplusplus
extern "C++" {
template <class T> struct upcall_value { typedef T type; };
#define UPCALL_FETCH(name, builtin, suffix) \
	template <class T> inline T name##suffix(volatile T *p, typename upcall_value<T>::type v) { return builtin(p, v, __ATOMIC_SEQ_CST); }
#define UPCALL_INTERLOCKED(suffix) \
	template <class T> inline T InterlockedIncrement##suffix(volatile T *p) { return __atomic_add_fetch(p, 1, __ATOMIC_SEQ_CST); } \
	template <class T> inline T InterlockedDecrement##suffix(volatile T *p) { return __atomic_sub_fetch(p, 1, __ATOMIC_SEQ_CST); } \
	UPCALL_FETCH(InterlockedExchange, __atomic_exchange_n, suffix) \
	UPCALL_FETCH(InterlockedExchangeAdd, __atomic_fetch_add, suffix) \
	UPCALL_FETCH(InterlockedAnd, __atomic_fetch_and, suffix) \
	UPCALL_FETCH(InterlockedOr, __atomic_fetch_or, suffix) \
	UPCALL_FETCH(InterlockedXor, __atomic_fetch_xor, suffix) \
	template <class T> inline T InterlockedCompareExchange##suffix(volatile T *p, typename upcall_value<T>::type v, typename upcall_value<T>::type old) { return __sync_val_compare_and_swap(p, old, v); }
UPCALL_INTERLOCKED()
UPCALL_INTERLOCKED(64)
UPCALL_FETCH(InterlockedExchange, __atomic_exchange_n, Pointer)
template <class T> inline T InterlockedCompareExchangePointer(T volatile *p, typename upcall_value<T>::type v, typename upcall_value<T>::type old) { return __sync_val_compare_and_swap(p, old, v); }
#undef UPCALL_INTERLOCKED
#undef UPCALL_FETCH
}
#else
#define InterlockedIncrement(p) __atomic_add_fetch((p), 1, __ATOMIC_SEQ_CST)
#define InterlockedDecrement(p) __atomic_sub_fetch((p), 1, __ATOMIC_SEQ_CST)
#define InterlockedExchange(p, v) __atomic_exchange_n((p), (v), __ATOMIC_SEQ_CST)
#define InterlockedExchangeAdd(p, v) __atomic_fetch_add((p), (v), __ATOMIC_SEQ_CST)
#define InterlockedAnd(p, v) __atomic_fetch_and((p), (v), __ATOMIC_SEQ_CST)
#define InterlockedOr(p, v) __atomic_fetch_or((p), (v), __ATOMIC_SEQ_CST)
#define InterlockedXor(p, v) __atomic_fetch_xor((p), (v), __ATOMIC_SEQ_CST)
#define InterlockedCompareExchange(p, v, old) __sync_val_compare_and_swap((p), (old), (v))
#define InterlockedIncrement64(p) InterlockedIncrement(p)
#define InterlockedDecrement64(p) InterlockedDecrement(p)
#define InterlockedExchange64(p, v) InterlockedExchange(p, v)
#define InterlockedExchangeAdd64(p, v) InterlockedExchangeAdd(p, v)
#define InterlockedAnd64(p, v) InterlockedAnd(p, v)
#define InterlockedOr64(p, v) InterlockedOr(p, v)
#define InterlockedXor64(p, v) InterlockedXor(p, v)
#define InterlockedCompareExchange64(p, v, old) InterlockedCompareExchange(p, v, old)
static __inline__ PVOID InterlockedExchangePointer(PVOID volatile *p, PVOID v) { return __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST); }
static __inline__ PVOID InterlockedCompareExchangePointer(PVOID volatile *p, PVOID v, PVOID old) { return __sync_val_compare_and_swap(p, old, v); }
#endif

#endif
