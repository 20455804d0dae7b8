/*
 * Low-level input and output of Microsoft's C run-time library. Its descriptors
 * are libc's here, and so are the functions.
 */
#ifndef UPCALL_IO_H
#define UPCALL_IO_H

#include <fcntl.h>
#include <unistd.h>

#include <windef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define _O_RDONLY O_RDONLY
#define _O_WRONLY O_WRONLY
#define _O_RDWR O_RDWR
#define _O_APPEND O_APPEND
#define _O_CREAT O_CREAT
#define _O_TRUNC O_TRUNC
#define _O_EXCL O_EXCL
/* There is no text mode. */
#define _O_TEXT 0
#define _O_BINARY 0
#ifndef O_BINARY
#define O_TEXT _O_TEXT
#define O_BINARY _O_BINARY
#endif

int __cdecl _open(const char *filename, int oflag, ...) __asm__("open");
int __cdecl _close(int fd) __asm__("close");
int __cdecl _isatty(int fd) __asm__("isatty");
int __cdecl _dup(int fd) __asm__("dup");
int __cdecl _dup2(int fd1, int fd2) __asm__("dup2");
int __cdecl _access(const char *path, int mode) __asm__("access");
int __cdecl _unlink(const char *filename) __asm__("unlink");
long long __cdecl _lseeki64(int fd, long long offset, int origin) __asm__("lseek64");

static __inline__ int _read(int fd, void *buffer, unsigned count) { return (int)read(fd, buffer, count); }
static __inline__ int _write(int fd, const void *buffer, unsigned count) { return (int)write(fd, buffer, count); }

/* Binary before and after: returns the mode there was. */
static __inline__ int _setmode(int fd, int mode)
{
	(void)mode;
	return fcntl(fd, F_GETFD) < 0 ? -1 : _O_BINARY;
}
#define setmode _setmode

#ifdef __cplusplus
}
#endif

#endif
