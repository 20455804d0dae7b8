/* Text that is char, or WCHAR with _UNICODE. */
#ifndef UPCALL_TCHAR_H
#define UPCALL_TCHAR_H

#if defined _UNICODE && !defined UNICODE
#define UNICODE
#endif
#include <winbase.h>

#include <string.h>

#define _T(text) __TEXT(text)
#define _TEXT(text) __TEXT(text)

#define _tcslen lstrlen
#define _tcscpy lstrcpy
#define _tcscat lstrcat
#define _tcscmp lstrcmp
#define _tcsicmp lstrcmpi
#ifndef UNICODE
#define _tcschr strchr
#define _tcsrchr strrchr
#define _tcsstr strstr
#define _tcspbrk strpbrk
#define _tcsncmp strncmp
#endif

#endif
