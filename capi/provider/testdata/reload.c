/*
 * Loads, uses and unloads the catalog's providers again and again, and looks
 * whether descriptors, mappings or memory are left behind. The arguments are the
 * number of rounds and the path of the shared object.
 */
#include <dirent.h>
#include <malloc.h>

#include "check.h"

static int entries(const char *path)
{
	DIR *dir = opendir(path);
	int n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* Lines of /proc/self/maps that name the object, or all of them. */
static int mappings(const char *object)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[4096];
	int n = 0;

	while (fgets(line, sizeof line, maps))
		n += object == NULL || strstr(line, object) != NULL;
	fclose(maps);
	return n;
}

static void once(void)
{
	SOCKET one, other;
	char b[8];

	start(MAKEWORD(2, 2));
	pair(&one, &other);
	EQUAL(send(one, "12345678", 8, 0), 8);
	EQUAL(recv(other, b, sizeof b, 0), 8);
	OK(closesocket(one));
	OK(closesocket(other));
	OK(WSACleanup());
}

int main(int n, char **args)
{
	int rounds = atoi(args[1]), fds = 0, maps = 0, threads = 0, more;
	size_t memory = 0;

	CHECK(n == 3);
	for (int i = 0; i < rounds; i++) {
		once();
		EQUAL(mappings(args[2]), 0);
		if (i == rounds / 2) {
			fds = entries("/proc/self/fd");
			threads = entries("/proc/self/task");
			maps = mappings(NULL);
			memory = mallinfo2().uordblks;
		}
	}
	EQUAL(entries("/proc/self/fd"), fds);
	/* Go's heap may have grown a little, and its threads may have become more: each
	 * has a stack and an arena, and their guards. */
	more = entries("/proc/self/task") - threads;
	CHECK(mappings(NULL) <= maps + 16 + 4 * (more > 0 ? more : 0));
	CHECK(mallinfo2().uordblks <= memory + 64 * 1024);
	return 0;
}
