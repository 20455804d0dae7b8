/* Text that is char, or WCHAR with _UNICODE. */
#ifndef UPCALL_TCHAR_H
#define UPCALL_TCHAR_H

#if defined _UNICODE && !defined UNICODE
#define UNICODE
#endif
#include <windef.h>

#define _T(text) __TEXT(text)
#define _TEXT(text) __TEXT(text)

#endif
