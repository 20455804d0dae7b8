#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "windowclasses.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards the list and the counts */
static struct window_class *classes;
static ATOM latest; /* the atom given last, from FIRST_ATOM on */

enum { FIRST_ATOM = 0xC001, LAST_ATOM = 0xFFFF };

char *narrow_string(LPCWSTR s)
{
	int n = IS_ATOM(s) ? 0 : WideCharToMultiByte(CP_UTF8, 0, s, -1, NULL, 0, NULL, NULL);
	char *to = n ? malloc(n) : NULL;

	if (to)
		WideCharToMultiByte(CP_UTF8, 0, s, -1, to, n, NULL, NULL);
	return to;
}

WCHAR *wide_string(LPCSTR s)
{
	int n = IS_ATOM(s) ? 0 : MultiByteToWideChar(CP_UTF8, 0, s, -1, NULL, 0);
	WCHAR *to = n ? malloc(n * sizeof *to) : NULL;

	if (to)
		MultiByteToWideChar(CP_UTF8, 0, s, -1, to, n);
	return to;
}

/* The program's classes may be registered with its module or with NULL. */
static HINSTANCE of(HINSTANCE instance)
{
	return instance ? instance : GetModuleHandleA(NULL);
}

/* Finds a class; the instance decides among those of one name. The caller holds lock. */
static struct window_class **find(LPCSTR name, HINSTANCE instance, BOOL exactly)
{
	struct window_class **other = NULL;

	for (struct window_class **c = &classes; *c; c = &(*c)->next) {
		if (IS_ATOM(name) ? (*c)->atom != (ATOM)(ULONG_PTR)name : strcasecmp((*c)->name, name) != 0)
			continue;
		if ((*c)->instance == of(instance))
			return c;
		if (!other)
			other = c;
	}
	return exactly ? NULL : other;
}

/* An atom that no class has, as late as possible after its last use; 0 if there is none. The caller holds lock. */
static ATOM free_atom(void)
{
	for (int tries = FIRST_ATOM; tries <= LAST_ATOM; tries++) {
		latest = latest < FIRST_ATOM || latest == LAST_ATOM ? FIRST_ATOM : latest + 1;
		if (!find((LPCSTR)(ULONG_PTR)latest, NULL, FALSE))
			return latest;
	}
	return 0;
}

/* Takes name, which is malloc's. */
static ATOM add(char *name, const struct window_class *model)
{
	struct window_class *c;
	DWORD e = 0;
	ATOM atom;

	if (!name)
		FAIL_IF(ERROR_NOT_ENOUGH_MEMORY, 0);
	if (upcall_forked) {
		free(name);
		ALIVE(0);
	}
	c = malloc(sizeof *c);
	if (!c) {
		free(name);
		FAIL_IF(ERROR_NOT_ENOUGH_MEMORY, 0);
	}
	*c = *model;
	c->name = name;
	c->instance = of(model->instance);
	pthread_mutex_lock(&lock);
	if (find(name, model->instance, TRUE))
		e = ERROR_CLASS_ALREADY_EXISTS;
	else if (!(c->atom = atom = free_atom()))
		e = ERROR_NOT_ENOUGH_MEMORY;
	else {
		c->next = classes;
		classes = c;
	}
	pthread_mutex_unlock(&lock);
	if (e) {
		free(name);
		free(c);
		FAIL_IF(e, 0);
	}
	return atom;
}

static BOOL valid(const void *name, WNDPROC procedure, int class_extra, int extra)
{
	return !IS_ATOM(name) && procedure && class_extra >= 0 && extra >= 0 && extra <= 1 << 16;
}

ATOM WINAPI RegisterClassExA(const WNDCLASSEXA *w)
{
	FAIL_IF(w && w->cbSize == sizeof *w && valid(w->lpszClassName, w->lpfnWndProc, w->cbClsExtra, w->cbWndExtra) ? 0 : ERROR_INVALID_PARAMETER, 0);
	return add(strdup(w->lpszClassName), &(struct window_class){.procedure = w->lpfnWndProc, .instance = w->hInstance, .extra = w->cbWndExtra});
}

ATOM WINAPI RegisterClassExW(const WNDCLASSEXW *w)
{
	FAIL_IF(w && w->cbSize == sizeof *w && valid(w->lpszClassName, w->lpfnWndProc, w->cbClsExtra, w->cbWndExtra) ? 0 : ERROR_INVALID_PARAMETER, 0);
	return add(narrow_string(w->lpszClassName), &(struct window_class){.procedure = w->lpfnWndProc, .instance = w->hInstance, .extra = w->cbWndExtra, .wide = TRUE});
}

ATOM WINAPI RegisterClassA(const WNDCLASSA *w)
{
	FAIL_IF(w ? 0 : ERROR_INVALID_PARAMETER, 0);
	return RegisterClassExA(&(WNDCLASSEXA){sizeof(WNDCLASSEXA), w->style, w->lpfnWndProc, w->cbClsExtra, w->cbWndExtra, w->hInstance,
		w->hIcon, w->hCursor, w->hbrBackground, w->lpszMenuName, w->lpszClassName, NULL});
}

ATOM WINAPI RegisterClassW(const WNDCLASSW *w)
{
	FAIL_IF(w ? 0 : ERROR_INVALID_PARAMETER, 0);
	return RegisterClassExW(&(WNDCLASSEXW){sizeof(WNDCLASSEXW), w->style, w->lpfnWndProc, w->cbClsExtra, w->cbWndExtra, w->hInstance,
		w->hIcon, w->hCursor, w->hbrBackground, w->lpszMenuName, w->lpszClassName, NULL});
}

BOOL WINAPI UnregisterClassA(LPCSTR name, HINSTANCE instance)
{
	struct window_class **c, *found = NULL;
	DWORD e = 0;

	ALIVE(FALSE);
	FAIL_IF(name ? 0 : ERROR_CLASS_DOES_NOT_EXIST, FALSE);
	pthread_mutex_lock(&lock);
	c = find(name, instance, TRUE);
	if (!c)
		e = ERROR_CLASS_DOES_NOT_EXIST;
	else if ((*c)->windows)
		e = ERROR_CLASS_HAS_WINDOWS;
	else {
		found = *c;
		*c = found->next;
	}
	pthread_mutex_unlock(&lock);
	FAIL_IF(e, FALSE);
	free(found->name);
	free(found);
	return TRUE;
}

BOOL WINAPI UnregisterClassW(LPCWSTR name, HINSTANCE instance)
{
	char *bytes = narrow_string(name);
	BOOL done = UnregisterClassA(bytes ? bytes : (LPCSTR)name, instance);

	free(bytes);
	return done;
}

/* The one class that is there without being registered. */
static struct window_class *standard(LPCSTR name)
{
	static struct window_class class = {.name = "STATIC", .procedure = DefWindowProcA};

	return !IS_ATOM(name) && strcasecmp(name, class.name) == 0 ? &class : NULL;
}

struct window_class *window_class_enter(LPCSTR name, HINSTANCE instance)
{
	struct window_class **c, *found = NULL;

	if (!name)
		return NULL;
	pthread_mutex_lock(&lock);
	c = find(name, instance, FALSE);
	found = c ? *c : standard(name);
	if (found)
		found->windows++;
	pthread_mutex_unlock(&lock);
	return found;
}

void window_class_leave(struct window_class *c)
{
	pthread_mutex_lock(&lock);
	c->windows--;
	pthread_mutex_unlock(&lock);
}
