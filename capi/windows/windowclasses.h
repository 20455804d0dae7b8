/* Window classes, and the windows made of them. */
#ifndef UPCALL_CAPI_WINDOWS_CLASSES_H
#define UPCALL_CAPI_WINDOWS_CLASSES_H

#include "calls.h"

struct window_class {
	struct window_class *next;
	char *name; /* UTF-8 */
	ATOM atom;
	WNDPROC procedure;
	HINSTANCE instance;
	BOOL wide; /* the procedure gets W strings */
	int extra; /* bytes of each window, cbWndExtra */
	int windows;
};

/*
 * The class of a name, or of an atom, with one more window, which is the
 * caller's to leave by window_class_leave; NULL if there is none.
 */
struct window_class *window_class_enter(LPCSTR name, HINSTANCE instance);
void window_class_leave(struct window_class *c);

/* The other form of a string, in memory of malloc's; NULL for NULL and atoms. */
char *narrow_string(LPCWSTR s);
WCHAR *wide_string(LPCSTR s);

#define IS_ATOM(name) (((ULONG_PTR)(name) >> 16) == 0)

#endif
