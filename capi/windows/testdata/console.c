/* Console control handlers; the argument says what to try. */
#include <signal.h>
#include <sys/syscall.h>

#include "check.h"

static HANDLE told;
static DWORD main_thread, event = 99;
static volatile sig_atomic_t own, calls;

static BOOL WINAPI takes(DWORD e)
{
	CHECK(GetCurrentThreadId() != main_thread);
	event = e;
	CHECK(SetEvent(told));
	return TRUE;
}

static BOOL WINAPI passes(DWORD e)
{
	calls++;
	return FALSE;
}

static void mine(int number)
{
	own++;
	SetEvent(told);
}

static void expect(int number, DWORD e)
{
	event = 99;
	kill(getpid(), number);
	EQUAL(WaitForSingleObject(told, INFINITE), WAIT_OBJECT_0);
	EQUAL(event, e);
}

static void handled(void)
{
	struct sigaction now;

	FAILS(SetConsoleCtrlHandler(takes, FALSE), ERROR_INVALID_PARAMETER);
	CHECK(SetConsoleCtrlHandler(takes, TRUE));
	CHECK(SetConsoleCtrlHandler(passes, TRUE)); /* is asked first */
	expect(SIGINT, CTRL_C_EVENT);
	EQUAL(calls, 1);
	expect(SIGTERM, CTRL_CLOSE_EVENT);
	expect(SIGHUP, CTRL_CLOSE_EVENT);
	expect(SIGQUIT, CTRL_BREAK_EVENT);
	CHECK(SetConsoleCtrlHandler(passes, FALSE));
	CHECK(GenerateConsoleCtrlEvent(CTRL_C_EVENT, 0));
	EQUAL(WaitForSingleObject(told, INFINITE), WAIT_OBJECT_0);
	EQUAL(calls, 4);
	CHECK(SetConsoleCtrlHandler(takes, FALSE));
	sigaction(SIGINT, NULL, &now);
	CHECK(now.sa_handler == SIG_DFL);
}

int main(int n, char **args)
{
	struct sigaction now;

	told = CreateEventA(NULL, FALSE, FALSE, NULL);
	main_thread = GetCurrentThreadId();
	CHECK(n == 2);
	/* As nohup, or a shell in the background, would not leave them. */
	signal(SIGINT, SIG_DFL);
	signal(SIGQUIT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	if (!strcmp(args[1], "handled")) {
		handled();
	} else if (!strcmp(args[1], "passed")) { /* nobody takes it: it ends the program */
		CHECK(SetConsoleCtrlHandler(passes, TRUE));
		kill(getpid(), SIGTERM);
		Sleep(INFINITE);
	} else if (!strcmp(args[1], "ignored")) {
		CHECK(SetConsoleCtrlHandler(NULL, TRUE));
		kill(getpid(), SIGINT);
		CHECK(SetConsoleCtrlHandler(takes, TRUE));
		expect(SIGTERM, CTRL_CLOSE_EVENT); /* behind the SIGINT, which nobody saw */
	} else { /* the program's own handler works beside, and comes back */
		signal(SIGINT, mine);
		CHECK(SetConsoleCtrlHandler(passes, TRUE));
		kill(getpid(), SIGINT);
		EQUAL(WaitForSingleObject(told, INFINITE), WAIT_OBJECT_0);
		CHECK(SetConsoleCtrlHandler(passes, FALSE));
		sigaction(SIGINT, NULL, &now);
		CHECK(now.sa_handler == mine && own == 1);
	}
	return 0;
}
