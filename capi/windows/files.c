#include <errno.h>
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
