/* GUIDs as text. */
#ifndef UPCALL_OBJBASE_H
#define UPCALL_OBJBASE_H

#include <windows.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Writes {XXXXXXXX-XXXX-XXXX-XXXX-XXXXXXXXXXXX} and returns its length with the NUL, 39; 0 if cchMax is less. */
int WINAPI StringFromGUID2(REFGUID rguid, LPWSTR lpsz, int cchMax);

#ifdef __cplusplus
}
#endif

#endif
