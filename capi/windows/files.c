#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <winsock2.h>

#include "_cgo_export.h"
#include "calls.h"

HANDLE WINAPI GetStdHandle(DWORD which)
{
	FAIL_IF(which < STD_ERROR_HANDLE || which > STD_INPUT_HANDLE ? ERROR_INVALID_HANDLE : 0, INVALID_HANDLE_VALUE);
	return STD_HANDLE(which);
}

/* Ends a read or write of a standard handle. */
static BOOL transferred(ssize_t n, LPDWORD bytes)
{
	FAIL_IF(n >= 0 ? 0 : errno == EBADF ? ERROR_INVALID_HANDLE : errno == EPIPE ? ERROR_NO_DATA : ERROR_GEN_FAILURE, FALSE);
	if (bytes)
		*bytes = n;
	return TRUE;
}

/* Both are for sockets, overlapped or not, and for the standard handles. */
BOOL WINAPI ReadFile(HANDLE file, LPVOID buffer, DWORD length, LPDWORD read_, LPOVERLAPPED overlapped)
{
	WSABUF buf = {length, buffer};
	DWORD n = 0, flags = 0;
	int fd = std_descriptor(file);

	if (read_)
		*read_ = 0;
	if (fd >= 0) {
		ssize_t got;

		FAIL_IF(overlapped ? ERROR_INVALID_PARAMETER : 0, FALSE);
		while ((got = read(fd, buffer, length)) < 0 && errno == EINTR)
			;
		return transferred(got, read_);
	}
	ALIVE(FALSE);
	FAIL_IF(!overlapped && !read_ ? ERROR_INVALID_PARAMETER : 0, FALSE);
	FAIL_IF(goReadFile(self(), (uintptr_t)file, &buf, &n, &flags, overlapped), FALSE);
	if (read_)
		*read_ = n;
	return TRUE;
}

BOOL WINAPI WriteFile(HANDLE file, LPCVOID buffer, DWORD length, LPDWORD written, LPOVERLAPPED overlapped)
{
	WSABUF buf = {length, (void *)buffer};
	DWORD n = 0;
	int fd = std_descriptor(file);

	if (written)
		*written = 0;
	if (fd >= 0) {
		DWORD done = 0;
		ssize_t put = 0;

		FAIL_IF(overlapped ? ERROR_INVALID_PARAMETER : 0, FALSE);
		while (done < length && ((put = write(fd, (const char *)buffer + done, length - done)) >= 0 || errno == EINTR))
			done += put > 0 ? put : 0;
		return transferred(put < 0 && done == 0 ? -1 : (ssize_t)done, written);
	}
	ALIVE(FALSE);
	FAIL_IF(!overlapped && !written ? ERROR_INVALID_PARAMETER : 0, FALSE);
	FAIL_IF(goWriteFile(self(), (uintptr_t)file, &buf, &n, overlapped), FALSE);
	if (written)
		*written = n;
	return TRUE;
}

BOOL WINAPI GetOverlappedResult(HANDLE file, LPOVERLAPPED overlapped, LPDWORD bytes, BOOL wait)
{
	DWORD n = 0, flags = 0;
	uint32_t e;

	ALIVE(FALSE);
	FAIL_IF(!overlapped || !bytes ? ERROR_INVALID_PARAMETER : 0, FALSE);
	e = goGetOverlappedResult(self(), (uintptr_t)file, overlapped, &n, !!wait, &flags);
	if (e != ERROR_IO_INCOMPLETE)
		*bytes = n;
	FAIL_IF(e, FALSE);
	return TRUE;
}

BOOL WINAPI CancelIo(HANDLE file)
{
	ALIVE(FALSE);
	FAIL_IF(goCancelIo(self(), (uintptr_t)file), FALSE);
	return TRUE;
}

BOOL WINAPI CancelIoEx(HANDLE file, LPOVERLAPPED overlapped)
{
	ALIVE(FALSE);
	FAIL_IF(goCancelIoEx(self(), (uintptr_t)file, overlapped), FALSE);
	return TRUE;
}

/* The descriptor behind a handle: a socket's, or a standard handle's; -1 if there is none. */
static int descriptor_of(HANDLE h)
{
	int fd = std_descriptor(h);
	struct stat s;

	if (fd >= 0 || (ULONG_PTR)h > INT32_MAX)
		return fd;
	return fstat((int)(ULONG_PTR)h, &s) == 0 && S_ISSOCK(s.st_mode) ? (int)(ULONG_PTR)h : -1;
}

/* Whether a handle is one of the library's own, which no process inherits. */
static BOOL is_own(HANDLE h)
{
	return (ULONG_PTR)h >> 32 && (LONG_PTR)h > 0;
}

BOOL WINAPI GetHandleInformation(HANDLE h, LPDWORD flags)
{
	int fd = descriptor_of(h), now = fd < 0 ? 0 : fcntl(fd, F_GETFD);

	FAIL_IF(flags ? 0 : ERROR_INVALID_PARAMETER, FALSE);
	FAIL_IF((fd < 0 && !is_own(h)) || now < 0 ? ERROR_INVALID_HANDLE : 0, FALSE);
	*flags = fd >= 0 && !(now & FD_CLOEXEC) ? HANDLE_FLAG_INHERIT : 0;
	return TRUE;
}

BOOL WINAPI SetHandleInformation(HANDLE h, DWORD mask, DWORD flags)
{
	int fd = descriptor_of(h), now = fd < 0 ? 0 : fcntl(fd, F_GETFD);

	FAIL_IF((fd < 0 && !is_own(h)) || now < 0 ? ERROR_INVALID_HANDLE : 0, FALSE);
	FAIL_IF(mask & flags & ~(DWORD)(fd < 0 ? 0 : HANDLE_FLAG_INHERIT) ? ERROR_NOT_SUPPORTED : 0, FALSE);
	if (fd < 0 || !(mask & HANDLE_FLAG_INHERIT))
		return TRUE;
	now = flags & HANDLE_FLAG_INHERIT ? now & ~FD_CLOEXEC : now | FD_CLOEXEC;
	FAIL_IF(fcntl(fd, F_SETFD, now) < 0 ? ERROR_INVALID_HANDLE : 0, FALSE);
	return TRUE;
}
