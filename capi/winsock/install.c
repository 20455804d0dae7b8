#include "install.h"

#include "_cgo_export.h"

/* Transport providers. Each form with 32 in its name is for the 32-bit catalog. */

int WSPAPI WSCInstallProvider(LPGUID id, const WCHAR *path, const LPWSAPROTOCOL_INFOW list, DWORD n, LPINT lpErrno)
{
	TELLS(lpErrno);
	return by_errno(goInstallProvider(id, (void *)path, list, n, 0), lpErrno);
}

int WSPAPI WSCInstallProvider64_32(LPGUID id, const WCHAR *path, const LPWSAPROTOCOL_INFOW list, DWORD n, LPINT lpErrno)
{
	TELLS(lpErrno);
	return by_errno(goInstallProvider(id, (void *)path, list, n, 1), lpErrno);
}

int WSPAPI WSCInstallProviderAndChains(LPGUID id, const LPWSTR path, const LPWSTR name, DWORD flags, LPWSAPROTOCOL_INFOW list, DWORD n, LPDWORD entry, LPINT lpErrno)
{
	TELLS(lpErrno);
	return by_errno(goInstallProviderAndChains(id, path, 0, name, flags, list, n, entry, 0), lpErrno);
}

int WSPAPI WSCInstallProviderAndChains64_32(LPGUID id, const LPWSTR path, const LPWSTR path32, const LPWSTR name, DWORD flags, LPWSAPROTOCOL_INFOW list, DWORD n, LPDWORD entry, LPINT lpErrno)
{
	TELLS(lpErrno);
	return by_errno(goInstallProviderAndChains(id, path, path32, name, flags, list, n, entry, 1), lpErrno);
}

int WSPAPI WSCUpdateProvider(LPGUID id, const WCHAR *path, const LPWSAPROTOCOL_INFOW list, DWORD n, LPINT lpErrno)
{
	TELLS(lpErrno);
	return by_errno(goUpdateProvider(id, (void *)path, list, n, 0), lpErrno);
}

int WSPAPI WSCUpdateProvider32(LPGUID id, const WCHAR *path, const LPWSAPROTOCOL_INFOW list, DWORD n, LPINT lpErrno)
{
	TELLS(lpErrno);
	return by_errno(goUpdateProvider(id, (void *)path, list, n, 1), lpErrno);
}

int WSPAPI WSCDeinstallProvider(LPGUID id, LPINT lpErrno)
{
	TELLS(lpErrno);
	return by_errno(goDeinstallProvider(id, 0), lpErrno);
}

int WSPAPI WSCDeinstallProvider32(LPGUID id, LPINT lpErrno)
{
	TELLS(lpErrno);
	return by_errno(goDeinstallProvider(id, 1), lpErrno);
}

static int enumerated(int n, int *lpErrno)
{
	return n < 0 ? by_errno(-n, lpErrno) : n;
}

int WSPAPI WSCEnumProtocols(LPINT protocols, LPWSAPROTOCOL_INFOW buf, LPDWORD length, LPINT lpErrno)
{
	TELLS(lpErrno);
	return enumerated(goInstalledProtocols(protocols, buf, length, 0), lpErrno);
}

int WSPAPI WSCEnumProtocols32(LPINT protocols, LPWSAPROTOCOL_INFOW buf, LPDWORD length, LPINT lpErrno)
{
	TELLS(lpErrno);
	return enumerated(goInstalledProtocols(protocols, buf, length, 1), lpErrno);
}

int WSPAPI WSCGetProviderPath(LPGUID id, WCHAR *path, LPINT length, LPINT lpErrno)
{
	TELLS(lpErrno);
	return by_errno(goProviderPath(id, path, length, 0), lpErrno);
}

int WSPAPI WSCGetProviderPath32(LPGUID id, WCHAR *path, LPINT length, LPINT lpErrno)
{
	TELLS(lpErrno);
	return by_errno(goProviderPath(id, path, length, 1), lpErrno);
}

int WSPAPI WSCGetProviderInfo(LPGUID id, WSC_PROVIDER_INFO_TYPE type, PBYTE info, size_t *size, DWORD flags, LPINT lpErrno)
{
	TELLS(lpErrno);
	return by_errno(goGetProviderInfo(id, type, info, size, flags, 0), lpErrno);
}

int WSPAPI WSCGetProviderInfo32(LPGUID id, WSC_PROVIDER_INFO_TYPE type, PBYTE info, size_t *size, DWORD flags, LPINT lpErrno)
{
	TELLS(lpErrno);
	return by_errno(goGetProviderInfo(id, type, info, size, flags, 1), lpErrno);
}

int WSPAPI WSCSetProviderInfo(LPGUID id, WSC_PROVIDER_INFO_TYPE type, PBYTE info, size_t size, DWORD flags, LPINT lpErrno)
{
	TELLS(lpErrno);
	return by_errno(goSetProviderInfo(id, type, info, size, flags, 0), lpErrno);
}

int WSPAPI WSCSetProviderInfo32(LPGUID id, WSC_PROVIDER_INFO_TYPE type, PBYTE info, size_t size, DWORD flags, LPINT lpErrno)
{
	TELLS(lpErrno);
	return by_errno(goSetProviderInfo(id, type, info, size, flags, 1), lpErrno);
}

int WSPAPI WSCGetApplicationCategory(LPCWSTR path, DWORD path_length, LPCWSTR extra, DWORD extra_length, DWORD *categories, LPINT lpErrno)
{
	TELLS(lpErrno);
	return by_errno(goGetApplicationCategory((void *)path, path_length, (void *)extra, extra_length, categories), lpErrno);
}

int WSPAPI WSCSetApplicationCategory(LPCWSTR path, DWORD path_length, LPCWSTR extra, DWORD extra_length, DWORD categories, DWORD *previous, LPINT lpErrno)
{
	TELLS(lpErrno);
	return by_errno(goSetApplicationCategory((void *)path, path_length, (void *)extra, extra_length, categories, previous), lpErrno);
}

int WSPAPI WSCWriteProviderOrder(LPDWORD ids, DWORD n)
{
	return upcall_forked ? WSANOTINITIALISED : goWriteProviderOrder(ids, n, 0);
}

int WSPAPI WSCWriteProviderOrder32(LPDWORD ids, DWORD n)
{
	return upcall_forked ? WSANOTINITIALISED : goWriteProviderOrder(ids, n, 1);
}

int WSPAPI WSApSetPostRoutine(LPWPUPOSTMESSAGE routine)
{
	ALIVE(SOCKET_ERROR);
	goSetPostRoutine((uintptr_t)routine);
	return 0;
}
