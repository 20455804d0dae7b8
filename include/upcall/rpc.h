/* New GUIDs. */
#ifndef UPCALL_RPC_H
#define UPCALL_RPC_H

#include <windows.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RPC_ENTRY WINAPI
typedef int RPC_STATUS;
typedef GUID UUID;

#define RPC_S_OK 0
#define RPC_S_UUID_LOCAL_ONLY 1824
#define RPC_S_UUID_NO_ADDRESS 1739

RPC_STATUS RPC_ENTRY UuidCreate(UUID *Uuid);

#ifdef __cplusplus
}
#endif

#endif
