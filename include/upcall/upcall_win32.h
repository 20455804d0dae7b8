/*
 * For programs with a Windows code path of their own, put before their first
 * line by -include upcall_win32.h: the macros by which they know Windows, what
 * compilers for Windows have built in, and the names under which Microsoft's C
 * run-time library has functions that libc has, too. Only macros. The compiler's
 * own say Linux as well; a program that asks for those first is compiled with
 * -U__linux__ and the like.
 */
#ifndef UPCALL_WIN32_H
#define UPCALL_WIN32_H

#ifndef _WIN32
#define _WIN32 1
#endif
#ifndef _WIN64
#define _WIN64 1
#endif
#ifndef WIN32
#define WIN32 1
#endif

#include "detail/compiler.h"

#define _snprintf snprintf
#define _vsnprintf vsnprintf
#define _vscprintf(format, arguments) vsnprintf(NULL, 0, format, arguments)
#define _scprintf(...) snprintf(NULL, 0, __VA_ARGS__)
#define _flushall() fflush(NULL)
#define gmtime_s(to, from) (gmtime_r((from), (to)) == NULL)
#define localtime_s(to, from) (localtime_r((from), (to)) == NULL)
#define _fileno fileno
#define _fdopen fdopen
#define _popen popen
#define _pclose pclose
#define _stricmp strcasecmp
#define _strcmpi strcasecmp
#define _strnicmp strncasecmp
#define stricmp strcasecmp
#define strnicmp strncasecmp
#define _strdup strdup
#define _strtoi64 strtoll
#define _strtoui64 strtoull
#define _atoi64 atoll
#define _putenv putenv
#define _getcwd getcwd
#define _chdir chdir
#define _rmdir rmdir
#define _mkdir(path) mkdir(path, 0777)
#define _stat stat
#define _stati64 stat
#define _stat64 stat
#define _fstat fstat
#define _fstati64 fstat
#define _fstat64 fstat
#define _fseeki64 fseeko
#define _ftelli64 ftello

#endif
