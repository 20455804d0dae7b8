/* Where the system's directories are; see system.c. */
#ifndef PROGRAMS_SHLOBJ_H
#define PROGRAMS_SHLOBJ_H

#include "system.h"

#define CSIDL_SYSTEM 0x0025
BOOL WINAPI SHGetSpecialFolderPathA(HWND owner, LPSTR path, int folder, BOOL create);

#endif
