#include "install.h"

#include "_cgo_export.h"

/* Name-space providers. Their functions have no lpErrno: they leave the last error. */

INT WSPAPI WSCInstallNameSpace(LPWSTR identifier, LPWSTR path, DWORD name_space, DWORD version, LPGUID id)
{
	ALIVE(SOCKET_ERROR);
	return socket_error(goInstallNameSpace(identifier, path, name_space, version, id, 0, 0));
}

INT WSPAPI WSCInstallNameSpace32(LPWSTR identifier, LPWSTR path, DWORD name_space, DWORD version, LPGUID id)
{
	ALIVE(SOCKET_ERROR);
	return socket_error(goInstallNameSpace(identifier, path, name_space, version, id, 0, 1));
}

INT WSPAPI WSCInstallNameSpaceEx(LPWSTR identifier, LPWSTR path, DWORD name_space, DWORD version, LPGUID id, LPBLOB info)
{
	ALIVE(SOCKET_ERROR);
	return socket_error(goInstallNameSpace(identifier, path, name_space, version, id, info, 0));
}

INT WSPAPI WSCInstallNameSpaceEx32(LPWSTR identifier, LPWSTR path, DWORD name_space, DWORD version, LPGUID id, LPBLOB info)
{
	ALIVE(SOCKET_ERROR);
	return socket_error(goInstallNameSpace(identifier, path, name_space, version, id, info, 1));
}

INT WSPAPI WSCUnInstallNameSpace(LPGUID id)
{
	ALIVE(SOCKET_ERROR);
	return socket_error(goUnInstallNameSpace(id, 0));
}

INT WSPAPI WSCUnInstallNameSpace32(LPGUID id)
{
	ALIVE(SOCKET_ERROR);
	return socket_error(goUnInstallNameSpace(id, 1));
}

INT WSPAPI WSCEnableNSProvider(LPGUID id, BOOL enable)
{
	ALIVE(SOCKET_ERROR);
	return socket_error(goEnableNSProvider(id, enable != 0, 0));
}

INT WSPAPI WSCEnableNSProvider32(LPGUID id, BOOL enable)
{
	ALIVE(SOCKET_ERROR);
	return socket_error(goEnableNSProvider(id, enable != 0, 1));
}

int WSPAPI WSCWriteNameSpaceOrder(LPGUID ids, DWORD n)
{
	return upcall_forked ? WSANOTINITIALISED : goWriteNameSpaceOrder(ids, n, 0);
}

int WSPAPI WSCWriteNameSpaceOrder32(LPGUID ids, DWORD n)
{
	return upcall_forked ? WSANOTINITIALISED : goWriteNameSpaceOrder(ids, n, 1);
}

static int enumerated(int n)
{
	if (n >= 0)
		return n;
	upcall_thread.error = -n;
	return SOCKET_ERROR;
}

INT WSPAPI WSCEnumNameSpaceProviders32(LPDWORD length, LPWSANAMESPACE_INFOW buf)
{
	ALIVE(SOCKET_ERROR);
	return enumerated(goInstalledNameSpaces32(length, buf, 0));
}

INT WSPAPI WSCEnumNameSpaceProvidersEx32(LPDWORD length, LPWSANAMESPACE_INFOEXW buf)
{
	ALIVE(SOCKET_ERROR);
	return enumerated(goInstalledNameSpaces32(length, buf, 1));
}
