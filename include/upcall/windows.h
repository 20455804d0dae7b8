/*
 * What socket programs use of Windows; see windef.h for widths and literals.
 * As on Windows this brings Winsock 1.1 along unless WIN32_LEAN_AND_MEAN is
 * defined; <winsock2.h> may follow it or come first.
 */
#ifndef UPCALL_WINDOWS_H
#define UPCALL_WINDOWS_H
#ifndef _INC_WINDOWS
#define _INC_WINDOWS
#endif
#define _WINDOWS_

#include <windef.h>

#include <winbase.h>
#include <wincon.h>
#include <winerror.h>
#include <winnls.h>
#include <winuser.h>

#ifndef WIN32_LEAN_AND_MEAN
#include <winsock.h>
#endif

#endif
