/*
 * Children of fork, made while other threads are inside the library: what needs
 * one of its locks fails at once, and a signal that a console control handler
 * would have got does what it does by default.
 */
#include "check.h"

#include <pthread.h>
#include <signal.h>
#include <sys/types.h>
#include <sys/wait.h>

enum { CHILDREN = 40, PATIENCE = 60 };

static volatile int stop;
static HMODULE module;
static HWND window;

static void *use_modules(void *unused)
{
	while (!stop)
		CHECK(GetProcAddress(module, "cos") != NULL);
	return unused;
}

static void *use_classes(void *unused)
{
	WNDCLASSA c = {.lpfnWndProc = DefWindowProcA, .lpszClassName = "other"};

	while (!stop) {
		CHECK(RegisterClassA(&c) != 0);
		CHECK(UnregisterClassA("other", NULL));
	}
	return unused;
}

static void *use_windows(void *unused)
{
	while (!stop)
		GetWindowLongPtrA(window, GWLP_USERDATA);
	return unused;
}

static void *use_threads(void *unused)
{
	while (!stop)
		ResumeThread(GetCurrentThread());
	return unused;
}

static void in_child(void)
{
	WNDCLASSA c = {.lpfnWndProc = DefWindowProcA, .lpszClassName = "another"};

	alarm(PATIENCE);
	FAILS((uintptr_t)GetProcAddress(module, "cos"), WSANOTINITIALISED);
	FAILS(FreeLibrary(module), WSANOTINITIALISED);
	FAILS(RegisterClassA(&c), WSANOTINITIALISED);
	FAILS(UnregisterClassA("another", NULL), WSANOTINITIALISED);
	FAILS(GetWindowLongPtrA(window, GWLP_USERDATA), WSANOTINITIALISED);
	FAILS(SendMessageA(window, WM_USER, 0, 0), WSANOTINITIALISED);
	FAILS((int)ResumeThread(GetCurrentThread()), WSANOTINITIALISED);
	FAILS(SetConsoleCtrlHandler(NULL, TRUE), WSANOTINITIALISED);
}

static int wait_for(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) < 0)
		;
	return status;
}

static BOOL WINAPI handler(DWORD event)
{
	return TRUE;
}

int main(void)
{
	void *(*users[])(void *) = {use_modules, use_classes, use_windows, use_threads};
	pthread_t threads[ARRAYSIZE(users)];
	pid_t child;

	start(MAKEWORD(2, 2));
	module = LoadLibraryA("libm.so.6");
	CHECK(module != NULL);
	window = CreateWindowExA(0, "STATIC", "", 0, 0, 0, 0, 0, HWND_MESSAGE, NULL, NULL, NULL);
	CHECK(window != NULL);
	for (size_t i = 0; i < ARRAYSIZE(users); i++)
		OK(pthread_create(&threads[i], NULL, users[i], NULL));
	for (int i = 0; i < CHILDREN; i++) {
		child = fork();
		if (child == 0) {
			in_child();
			if (i % 2)
				pthread_exit(NULL); /* as the last thread, with 0 */
			exit(0);
		}
		EQUAL(wait_for(child), 0);
	}
	stop = 1;
	for (size_t i = 0; i < ARRAYSIZE(users); i++)
		OK(pthread_join(threads[i], NULL));

	CHECK(SetConsoleCtrlHandler(handler, TRUE));
	child = fork();
	if (child == 0) {
		alarm(PATIENCE);
		for (;;)
			pause();
	}
	OK(kill(child, SIGTERM));
	EQUAL(WTERMSIG(wait_for(child)), SIGTERM);
	OK(WSACleanup());
	return 0;
}
