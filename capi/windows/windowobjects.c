#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "_cgo_export.h"
#include "windowclasses.h"

/*
 * A window is a handle of ws2's, whose messages its thread takes, and a record
 * here of its class and procedure. It is never shown, whatever its style says.
 * Only its own thread calls the procedure.
 */
struct window {
	struct window *next; /* in its bucket */
	HWND handle;
	HWND parent; /* or owner: it is destroyed with that */
	struct window_class *class;
	WNDPROC procedure;
	LONG_PTR user_data;
	DWORD thread;
	BOOL dying;
	char extra[]; /* cbWndExtra bytes */
};

#define BUCKETS 256
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards what follows, and the records */
static struct window *buckets[BUCKETS];
static pthread_key_t ending; /* its destructor forgets the thread's windows */
static BOOL has_key;

static struct window **place(HWND h)
{
	struct window **w = &buckets[((ULONG_PTR)h >> 2) % BUCKETS];

	while (*w && (*w)->handle != h)
		w = &(*w)->next;
	return w;
}

/* The procedure of a window and whose it is; NULL if there is no such window. */
static WNDPROC procedure_of(HWND h, DWORD *thread)
{
	WNDPROC p = NULL;
	struct window *w;

	ALIVE(NULL); /* another thread may have had the lock at the fork */
	pthread_mutex_lock(&lock);
	w = *place(h);
	if (w) {
		p = w->procedure;
		*thread = w->thread;
	}
	pthread_mutex_unlock(&lock);
	return p;
}

static void forget(HWND h)
{
	struct window **p, *w;

	pthread_mutex_lock(&lock);
	p = place(h);
	w = *p;
	if (w)
		*p = w->next;
	pthread_mutex_unlock(&lock);
	if (w)
		window_class_leave(w->class);
	free(w);
}

/* A window of this thread that fits, NULL if there is none: any, or one with this parent. */
static HWND next_of(HWND parent)
{
	DWORD thread = GetCurrentThreadId();
	HWND found = NULL;

	if (upcall_forked)
		return NULL;
	pthread_mutex_lock(&lock);
	for (int i = 0; i < BUCKETS && !found; i++)
		for (struct window *w = buckets[i]; w; w = w->next)
			if (w->thread == thread && (!parent || w->parent == parent)) {
				found = w->handle;
				break;
			}
	pthread_mutex_unlock(&lock);
	return found;
}

/* A thread's windows end with it, without messages. */
static void thread_ends(void *unused)
{
	for (HWND h; (h = next_of(NULL));)
		forget(h);
}

static BOOL remember(struct window *w)
{
	pthread_mutex_lock(&lock);
	if (!has_key)
		has_key = pthread_key_create(&ending, thread_ends) == 0;
	w->next = *place(w->handle);
	*place(w->handle) = w;
	pthread_mutex_unlock(&lock);
	return pthread_setspecific(ending, w) == 0;
}

/* Sends a message to a window of this thread. */
static LRESULT send_message(HWND h, UINT message, WPARAM wparam, LPARAM lparam)
{
	DWORD thread;
	WNDPROC p = procedure_of(h, &thread);

	return p ? p(h, message, wparam, lparam) : 0;
}

/* Ends a window that has had its WM_DESTROY or never wants one. */
static void end(HWND h)
{
	send_message(h, WM_NCDESTROY, 0, 0);
	goDestroyWindow(self(), (uintptr_t)h);
	forget(h);
}

/* What a window is created with: the strings in the form that it was given. */
struct creation {
	const void *name, *title;
	BOOL wide;
	DWORD style, extended_style;
	int x, y, width, height;
	HWND parent;
	HMENU menu;
	HINSTANCE instance;
	LPVOID parameter;
};

/* Sends WM_NCCREATE and WM_CREATE, with strings in the form of the class, and reports whether the window may live. */
static BOOL announce(HWND h, const struct creation *c, BOOL wide)
{
	CREATESTRUCTA a = {c->parameter, c->instance, c->menu, c->parent, c->height, c->width, c->y, c->x, (LONG)c->style, c->title, c->name, c->extended_style};
	void *title = NULL, *name = NULL;
	BOOL lives;

	/* The W form has the same layout. */
	if (wide && !c->wide) {
		title = wide_string(c->title);
		name = wide_string(c->name);
	} else if (!wide && c->wide) {
		title = narrow_string(c->title);
		name = narrow_string(c->name);
	}
	if (title)
		a.lpszName = title;
	if (name)
		a.lpszClass = name;
	lives = send_message(h, WM_NCCREATE, 0, (LPARAM)&a) != 0;
	if (!lives) {
		end(h);
	} else if (send_message(h, WM_CREATE, 0, (LPARAM)&a) == -1) {
		lives = FALSE;
		DestroyWindow(h);
	}
	free(title);
	free(name);
	return lives && IsWindow(h);
}

static HWND create(const struct creation *c, struct window_class *class)
{
	struct goCreateWindow_return r;
	struct window *w;

	if (c->parent && c->parent != HWND_MESSAGE && !IsWindow(c->parent))
		FAIL_IF(ERROR_INVALID_WINDOW_HANDLE, NULL);
	w = calloc(1, sizeof *w + class->extra);
	FAIL_IF(w ? 0 : ERROR_NOT_ENOUGH_MEMORY, NULL);
	r = goCreateWindow(self());
	if (r.r1) {
		free(w);
		FAIL_IF(r.r1, NULL);
	}
	w->handle = (HWND)r.r0;
	w->parent = c->parent;
	w->class = class;
	w->procedure = class->procedure;
	w->thread = GetCurrentThreadId();
	remember(w);
	return (HWND)r.r0;
}

static HWND create_window(const struct creation *c, LPCSTR class_name)
{
	struct window_class *class;
	BOOL wide;
	HWND h;

	ALIVE(NULL);
	class = window_class_enter(class_name, c->instance);
	FAIL_IF(class ? 0 : ERROR_CANNOT_FIND_WND_CLASS, NULL);
	wide = class->wide;
	h = create(c, class);
	if (!h)
		window_class_leave(class);
	return h && announce(h, c, wide) ? h : NULL;
}

HWND WINAPI CreateWindowExA(DWORD extended, LPCSTR class, LPCSTR title, DWORD style, int x, int y, int width, int height, HWND parent, HMENU menu, HINSTANCE instance, LPVOID parameter)
{
	struct creation c = {class, title, FALSE, style, extended, x, y, width, height, parent, menu, instance, parameter};

	return create_window(&c, class);
}

HWND WINAPI CreateWindowExW(DWORD extended, LPCWSTR class, LPCWSTR title, DWORD style, int x, int y, int width, int height, HWND parent, HMENU menu, HINSTANCE instance, LPVOID parameter)
{
	struct creation c = {class, title, TRUE, style, extended, x, y, width, height, parent, menu, instance, parameter};
	char *name = narrow_string(class);
	HWND h = create_window(&c, name ? name : (LPCSTR)class);

	free(name);
	return h;
}

/* Marks a window of this thread as dying; an error if that cannot be. */
static DWORD start_dying(HWND h)
{
	struct window *w;
	DWORD e = 0;

	pthread_mutex_lock(&lock);
	w = *place(h);
	if (!w)
		e = ERROR_INVALID_WINDOW_HANDLE;
	else if (w->thread != GetCurrentThreadId())
		e = ERROR_ACCESS_DENIED;
	else if (w->dying)
		e = ERROR_BUSY;
	else
		w->dying = TRUE;
	pthread_mutex_unlock(&lock);
	return e;
}

BOOL WINAPI DestroyWindow(HWND h)
{
	DWORD e;

	ALIVE(FALSE);
	e = start_dying(h);
	if (e == ERROR_BUSY)
		return TRUE; /* by the procedure, from within its WM_DESTROY */
	FAIL_IF(e, FALSE);
	send_message(h, WM_DESTROY, 0, 0);
	for (HWND below; (below = next_of(h));)
		if (!DestroyWindow(below))
			break;
	end(h);
	return TRUE;
}

BOOL WINAPI IsWindow(HWND h)
{
	ALIVE(FALSE);
	return goIsWindow((uintptr_t)h);
}

LRESULT WINAPI DefWindowProcA(HWND h, UINT message, WPARAM wparam, LPARAM lparam)
{
	switch (message) {
	case WM_NCCREATE:
		return TRUE;
	case WM_CLOSE:
		DestroyWindow(h);
	}
	return 0;
}

LRESULT WINAPI DefWindowProcW(HWND h, UINT message, WPARAM wparam, LPARAM lparam)
{
	return DefWindowProcA(h, message, wparam, lparam);
}

/* Only to windows of the calling thread. */
LRESULT WINAPI SendMessageA(HWND h, UINT message, WPARAM wparam, LPARAM lparam)
{
	DWORD thread;
	WNDPROC p = procedure_of(h, &thread);

	ALIVE(0);
	FAIL_IF(p ? 0 : ERROR_INVALID_WINDOW_HANDLE, 0);
	FAIL_IF(thread == GetCurrentThreadId() ? 0 : ERROR_NOT_SUPPORTED, 0);
	return p(h, message, wparam, lparam);
}

LRESULT WINAPI SendMessageW(HWND h, UINT message, WPARAM wparam, LPARAM lparam)
{
	return SendMessageA(h, message, wparam, lparam);
}

LRESULT WINAPI DispatchMessageA(const MSG *m)
{
	DWORD thread;
	WNDPROC p = m->hwnd ? procedure_of(m->hwnd, &thread) : NULL;

	if (!p || thread != GetCurrentThreadId())
		return 0;
	return p(m->hwnd, m->message, m->wParam, m->lParam);
}

LRESULT WINAPI DispatchMessageW(const MSG *m)
{
	return DispatchMessageA(m);
}

/* Gets or, with a new value, sets a word of a window. */
static LONG_PTR word(HWND h, int index, const LONG_PTR *value)
{
	LONG_PTR before = 0;
	struct window *w;
	DWORD e = 0;

	ALIVE(0);
	pthread_mutex_lock(&lock);
	w = *place(h);
	if (!w) {
		e = ERROR_INVALID_WINDOW_HANDLE;
	} else if (index == GWLP_USERDATA) {
		before = w->user_data;
		if (value)
			w->user_data = *value;
	} else if (index == GWLP_WNDPROC) {
		memcpy(&before, &w->procedure, sizeof before);
		if (value)
			memcpy(&w->procedure, value, sizeof *value);
	} else if (index >= 0 && index + (int)sizeof before <= w->class->extra) {
		memcpy(&before, w->extra + index, sizeof before);
		if (value)
			memcpy(w->extra + index, value, sizeof *value);
	} else {
		e = ERROR_INVALID_INDEX;
	}
	pthread_mutex_unlock(&lock);
	FAIL_IF(e, 0);
	return before;
}

LONG_PTR WINAPI GetWindowLongPtrA(HWND h, int index)
{
	return word(h, index, NULL);
}

LONG_PTR WINAPI GetWindowLongPtrW(HWND h, int index)
{
	return word(h, index, NULL);
}

LONG_PTR WINAPI SetWindowLongPtrA(HWND h, int index, LONG_PTR value)
{
	return word(h, index, &value);
}

LONG_PTR WINAPI SetWindowLongPtrW(HWND h, int index, LONG_PTR value)
{
	return word(h, index, &value);
}
