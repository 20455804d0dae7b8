/*
 * The calls that install, list and remove providers. On 64-bit Windows there is
 * a second catalog for 32-bit programs, which the forms with 32 in their names
 * address.
 */
#ifndef UPCALL_DETAIL_INSTALL_H
#define UPCALL_DETAIL_INSTALL_H

#include <ws2spi.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Categories of layered providers, and of what an application permits. */
#define LSP_SYSTEM 0x80000000
#define LSP_INSPECTOR 0x00000001
#define LSP_REDIRECTOR 0x00000002
#define LSP_PROXY 0x00000004
#define LSP_FIREWALL 0x00000008
#define LSP_INBOUND_MODIFY 0x00000010
#define LSP_OUTBOUND_MODIFY 0x00000020
#define LSP_CRYPTO_COMPRESS 0x00000040
#define LSP_LOCAL_CACHE 0x00000080

typedef enum _WSC_PROVIDER_INFO_TYPE {
	ProviderInfoLspCategories = 0,
	ProviderInfoAudit
} WSC_PROVIDER_INFO_TYPE;

typedef struct _WSC_PROVIDER_AUDIT_INFO {
	DWORD RecordSize;
	PVOID Reserved;
} WSC_PROVIDER_AUDIT_INFO, *PWSC_PROVIDER_AUDIT_INFO;

int WSPAPI WSCEnumProtocols(LPINT lpiProtocols, LPWSAPROTOCOL_INFOW lpProtocolBuffer, LPDWORD lpdwBufferLength, LPINT lpErrno);
int WSPAPI WSCEnumProtocols32(LPINT lpiProtocols, LPWSAPROTOCOL_INFOW lpProtocolBuffer, LPDWORD lpdwBufferLength, LPINT lpErrno);
int WSPAPI WSCInstallProvider(LPGUID lpProviderId, const WCHAR *lpszProviderDllPath, const LPWSAPROTOCOL_INFOW lpProtocolInfoList, DWORD dwNumberOfEntries, LPINT lpErrno);
int WSPAPI WSCInstallProvider64_32(LPGUID lpProviderId, const WCHAR *lpszProviderDllPath, const LPWSAPROTOCOL_INFOW lpProtocolInfoList, DWORD dwNumberOfEntries, LPINT lpErrno);
int WSPAPI WSCInstallProviderAndChains(LPGUID lpProviderId, const LPWSTR lpszProviderDllPath, const LPWSTR lpszLspName, DWORD dwServiceFlags, LPWSAPROTOCOL_INFOW lpProtocolInfoList, DWORD dwNumberOfEntries, LPDWORD lpdwCatalogEntryId, LPINT lpErrno);
int WSPAPI WSCInstallProviderAndChains64_32(LPGUID lpProviderId, const LPWSTR lpszProviderDllPath, const LPWSTR lpszProviderDllPath32, const LPWSTR lpszLspName, DWORD dwServiceFlags, LPWSAPROTOCOL_INFOW lpProtocolInfoList, DWORD dwNumberOfEntries, LPDWORD lpdwCatalogEntryId, LPINT lpErrno);
int WSPAPI WSCDeinstallProvider(LPGUID lpProviderId, LPINT lpErrno);
int WSPAPI WSCDeinstallProvider32(LPGUID lpProviderId, LPINT lpErrno);
int WSPAPI WSCUpdateProvider(LPGUID lpProviderId, const WCHAR *lpszProviderDllPath, const LPWSAPROTOCOL_INFOW lpProtocolInfoList, DWORD dwNumberOfEntries, LPINT lpErrno);
int WSPAPI WSCUpdateProvider32(LPGUID lpProviderId, const WCHAR *lpszProviderDllPath, const LPWSAPROTOCOL_INFOW lpProtocolInfoList, DWORD dwNumberOfEntries, LPINT lpErrno);
int WSPAPI WSCGetProviderPath(LPGUID lpProviderId, WCHAR *lpszProviderDllPath, LPINT lpProviderDllPathLen, LPINT lpErrno);
int WSPAPI WSCGetProviderPath32(LPGUID lpProviderId, WCHAR *lpszProviderDllPath, LPINT lpProviderDllPathLen, LPINT lpErrno);
int WSPAPI WSCGetProviderInfo(LPGUID lpProviderId, WSC_PROVIDER_INFO_TYPE InfoType, PBYTE Info, size_t *InfoSize, DWORD Flags, LPINT lpErrno);
int WSPAPI WSCGetProviderInfo32(LPGUID lpProviderId, WSC_PROVIDER_INFO_TYPE InfoType, PBYTE Info, size_t *InfoSize, DWORD Flags, LPINT lpErrno);
int WSPAPI WSCSetProviderInfo(LPGUID lpProviderId, WSC_PROVIDER_INFO_TYPE InfoType, PBYTE Info, size_t InfoSize, DWORD Flags, LPINT lpErrno);
int WSPAPI WSCSetProviderInfo32(LPGUID lpProviderId, WSC_PROVIDER_INFO_TYPE InfoType, PBYTE Info, size_t InfoSize, DWORD Flags, LPINT lpErrno);
int WSPAPI WSCGetApplicationCategory(LPCWSTR Path, DWORD PathLength, LPCWSTR Extra, DWORD ExtraLength, DWORD *pPermittedLspCategories, LPINT lpErrno);
int WSPAPI WSCSetApplicationCategory(LPCWSTR Path, DWORD PathLength, LPCWSTR Extra, DWORD ExtraLength, DWORD PermittedLspCategories, DWORD *pPrevPermLspCat, LPINT lpErrno);

typedef __typeof__(&WSCEnumProtocols) LPWSCENUMPROTOCOLS;
typedef __typeof__(&WSCEnumProtocols32) LPWSCENUMPROTOCOLS32;
typedef __typeof__(&WSCInstallProvider) LPWSCINSTALLPROVIDER;
typedef __typeof__(&WSCInstallProvider64_32) LPWSCINSTALLPROVIDER64_32;
typedef __typeof__(&WSCInstallProviderAndChains) LPWSCINSTALLPROVIDERANDCHAINS;
typedef __typeof__(&WSCInstallProviderAndChains64_32) LPWSCINSTALLPROVIDERANDCHAINS64_32;
typedef __typeof__(&WSCDeinstallProvider) LPWSCDEINSTALLPROVIDER;
typedef __typeof__(&WSCDeinstallProvider32) LPWSCDEINSTALLPROVIDER32;
typedef __typeof__(&WSCUpdateProvider) LPWSCUPDATEPROVIDER;
typedef __typeof__(&WSCUpdateProvider32) LPWSCUPDATEPROVIDER32;
typedef __typeof__(&WSCGetProviderPath) LPWSCGETPROVIDERPATH;
typedef __typeof__(&WSCGetProviderPath32) LPWSCGETPROVIDERPATH32;
typedef __typeof__(&WSCGetProviderInfo) LPWSCGETPROVIDERINFO;
typedef __typeof__(&WSCGetProviderInfo32) LPWSCGETPROVIDERINFO32;
typedef __typeof__(&WSCSetProviderInfo) LPWSCSETPROVIDERINFO;
typedef __typeof__(&WSCSetProviderInfo32) LPWSCSETPROVIDERINFO32;
typedef __typeof__(&WSCGetApplicationCategory) LPWSCGETAPPLICATIONCATEGORY;
typedef __typeof__(&WSCSetApplicationCategory) LPWSCSETAPPLICATIONCATEGORY;

/* QOS templates, which no version of Windows supports any more. */
typedef int (WSPAPI *LPWSCINSTALLQOSTEMPLATE)(const LPGUID Guid, LPWSABUF QosName, LPQOS Qos);
typedef int (WSPAPI *LPWSCREMOVEQOSTEMPLATE)(const LPGUID Guid, LPWSABUF QosName);

#ifdef __cplusplus
}
#endif

#endif
