/* Name-space providers: their functions, and the calls that install them. */
#ifndef UPCALL_DETAIL_NAMESPACE_H
#define UPCALL_DETAIL_NAMESPACE_H

#include <ws2spi.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef INT (WSAAPI *LPNSPCLEANUP)(LPGUID lpProviderId);
typedef INT (WSAAPI *LPNSPLOOKUPSERVICEBEGIN)(LPGUID lpProviderId, LPWSAQUERYSETW lpqsRestrictions, LPWSASERVICECLASSINFOW lpServiceClassInfo, DWORD dwControlFlags, LPHANDLE lphLookup);
typedef INT (WSAAPI *LPNSPLOOKUPSERVICENEXT)(HANDLE hLookup, DWORD dwControlFlags, LPDWORD lpdwBufferLength, LPWSAQUERYSETW lpqsResults);
typedef INT (WSAAPI *LPNSPLOOKUPSERVICEEND)(HANDLE hLookup);
typedef INT (WSAAPI *LPNSPSETSERVICE)(LPGUID lpProviderId, LPWSASERVICECLASSINFOW lpServiceClassInfo, LPWSAQUERYSETW lpqsRegInfo, WSAESETSERVICEOP essOperation, DWORD dwControlFlags);
typedef INT (WSAAPI *LPNSPINSTALLSERVICECLASS)(LPGUID lpProviderId, LPWSASERVICECLASSINFOW lpServiceClassInfo);
typedef INT (WSAAPI *LPNSPREMOVESERVICECLASS)(LPGUID lpProviderId, LPGUID lpServiceClassId);
typedef INT (WSAAPI *LPNSPGETSERVICECLASSINFO)(LPGUID lpProviderId, LPDWORD lpdwBufSize, LPWSASERVICECLASSINFOW lpServiceClassInfo);
typedef INT (WSAAPI *LPNSPIOCTL)(HANDLE hLookup, DWORD dwControlCode, LPVOID lpvInBuffer, DWORD cbInBuffer, LPVOID lpvOutBuffer, DWORD cbOutBuffer, LPDWORD lpcbBytesReturned, LPWSACOMPLETION lpCompletion, LPWSATHREADID lpThreadId);

/* cbSize tells whether NSPIoctl is there. */
typedef struct _NSP_ROUTINE {
	DWORD cbSize;
	DWORD dwMajorVersion;
	DWORD dwMinorVersion;
	LPNSPCLEANUP NSPCleanup;
	LPNSPLOOKUPSERVICEBEGIN NSPLookupServiceBegin;
	LPNSPLOOKUPSERVICENEXT NSPLookupServiceNext;
	LPNSPLOOKUPSERVICEEND NSPLookupServiceEnd;
	LPNSPSETSERVICE NSPSetService;
	LPNSPINSTALLSERVICECLASS NSPInstallServiceClass;
	LPNSPREMOVESERVICECLASS NSPRemoveServiceClass;
	LPNSPGETSERVICECLASSINFO NSPGetServiceClassInfo;
	LPNSPIOCTL NSPIoctl;
} NSP_ROUTINE, *LPNSP_ROUTINE;

/* What the shared object of a name-space provider exports. */
typedef INT (WSAAPI *LPNSPSTARTUP)(LPGUID lpProviderId, LPNSP_ROUTINE lpnspRoutines);
INT WSAAPI NSPStartup(LPGUID lpProviderId, LPNSP_ROUTINE lpnspRoutines);

/* Version 2: providers that a process registers within itself. */
typedef INT (WSAAPI *LPNSPV2STARTUP)(LPGUID lpProviderId, LPVOID *ppvClientSessionArg);
typedef INT (WSAAPI *LPNSPV2CLEANUP)(LPGUID lpProviderId, LPVOID pvClientSessionArg);
typedef INT (WSAAPI *LPNSPV2LOOKUPSERVICEBEGIN)(LPGUID lpProviderId, LPWSAQUERYSET2W lpqsRestrictions, DWORD dwControlFlags, LPVOID lpvClientSessionArg, LPHANDLE lphLookup);
typedef void (WSAAPI *LPNSPV2LOOKUPSERVICENEXTEX)(HANDLE hAsyncCall, HANDLE hLookup, DWORD dwControlFlags, LPDWORD lpdwBufferLength, LPWSAQUERYSET2W lpqsResults);
typedef INT (WSAAPI *LPNSPV2LOOKUPSERVICEEND)(HANDLE hLookup);
typedef void (WSAAPI *LPNSPV2SETSERVICEEX)(HANDLE hAsyncCall, LPGUID lpProviderId, LPWSAQUERYSET2W lpqsRegInfo, WSAESETSERVICEOP essOperation, DWORD dwControlFlags, LPVOID lpvClientSessionArg);
typedef void (WSAAPI *LPNSPV2CLIENTSESSIONRUNDOWN)(LPGUID lpProviderId, LPVOID pvClientSessionArg);

typedef struct _NSPV2_ROUTINE {
	DWORD cbSize;
	DWORD dwMajorVersion;
	DWORD dwMinorVersion;
	LPNSPV2STARTUP NSPv2Startup;
	LPNSPV2CLEANUP NSPv2Cleanup;
	LPNSPV2LOOKUPSERVICEBEGIN NSPv2LookupServiceBegin;
	LPNSPV2LOOKUPSERVICENEXTEX NSPv2LookupServiceNextEx;
	LPNSPV2LOOKUPSERVICEEND NSPv2LookupServiceEnd;
	LPNSPV2SETSERVICEEX NSPv2SetServiceEx;
	LPNSPV2CLIENTSESSIONRUNDOWN NSPv2ClientSessionRundown;
} NSPV2_ROUTINE, *PNSPV2_ROUTINE, *LPNSPV2_ROUTINE;
typedef const NSPV2_ROUTINE *PCNSPV2_ROUTINE, *LPCNSPV2_ROUTINE;

INT WSPAPI WSAAdvertiseProvider(const GUID *puuidProviderId, LPCNSPV2_ROUTINE pNSPv2Routine);
INT WSPAPI WSAUnadvertiseProvider(const GUID *puuidProviderId);
INT WSPAPI WSAProviderCompleteAsyncCall(HANDLE hAsyncCall, INT iRetCode);

INT WSPAPI WSCInstallNameSpace(LPWSTR lpszIdentifier, LPWSTR lpszPathName, DWORD dwNameSpace, DWORD dwVersion, LPGUID lpProviderId);
INT WSPAPI WSCInstallNameSpace32(LPWSTR lpszIdentifier, LPWSTR lpszPathName, DWORD dwNameSpace, DWORD dwVersion, LPGUID lpProviderId);
INT WSPAPI WSCUnInstallNameSpace(LPGUID lpProviderId);
INT WSPAPI WSCUnInstallNameSpace32(LPGUID lpProviderId);
INT WSPAPI WSCEnableNSProvider(LPGUID lpProviderId, BOOL fEnable);
INT WSPAPI WSCEnableNSProvider32(LPGUID lpProviderId, BOOL fEnable);
INT WSPAPI WSCInstallNameSpaceEx(LPWSTR lpszIdentifier, LPWSTR lpszPathName, DWORD dwNameSpace, DWORD dwVersion, LPGUID lpProviderId, LPBLOB lpProviderInfo);
INT WSPAPI WSCInstallNameSpaceEx32(LPWSTR lpszIdentifier, LPWSTR lpszPathName, DWORD dwNameSpace, DWORD dwVersion, LPGUID lpProviderId, LPBLOB lpProviderInfo);
INT WSPAPI WSCEnumNameSpaceProviders32(LPDWORD lpdwBufferLength, LPWSANAMESPACE_INFOW lpnspBuffer);
INT WSPAPI WSCEnumNameSpaceProvidersEx32(LPDWORD lpdwBufferLength, LPWSANAMESPACE_INFOEXW lpnspBuffer);
#define WSCEnumNameSpaceProviders WSAEnumNameSpaceProvidersW
#define WSCEnumNameSpaceProvidersEx WSAEnumNameSpaceProvidersExW

typedef __typeof__(&WSCInstallNameSpace) LPWSCINSTALLNAMESPACE;
typedef __typeof__(&WSCInstallNameSpace32) LPWSCINSTALLNAMESPACE32;
typedef __typeof__(&WSCUnInstallNameSpace) LPWSCUNINSTALLNAMESPACE;
typedef __typeof__(&WSCUnInstallNameSpace32) LPWSCUNINSTALLNAMESPACE32;
typedef __typeof__(&WSCEnableNSProvider) LPWSCENABLENSPROVIDER;
typedef __typeof__(&WSCEnableNSProvider32) LPWSCENABLENSPROVIDER32;
typedef __typeof__(&WSCInstallNameSpaceEx) LPWSCINSTALLNAMESPACEEX;
typedef __typeof__(&WSCInstallNameSpaceEx32) LPWSCINSTALLNAMESPACEEX32;

#ifdef __cplusplus
}
#endif

#endif
