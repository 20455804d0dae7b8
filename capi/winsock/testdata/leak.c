/* Never frees a list of addresses. */
#include "check.h"

static void __attribute__((noinline)) forget(void)
{
	struct addrinfo *list;

	OK(getaddrinfo("127.0.0.1", "80", NULL, &list));
}

int main(void)
{
	start(MAKEWORD(2, 2));
	forget();
	return WSACleanup();
}
