/*
 * How a layered provider finds the provider below it, and tells what it does.
 */
#ifndef NEXT_H
#define NEXT_H

#include <ws2spi.h>

/* One provider below, for one catalog entry that the layer was chosen for. */
typedef struct NEXT {
	struct NEXT *next;
	WSAPROTOCOL_INFOW entry; /* the chain that sockets are made of */
	WSAPROTOCOL_INFOW below; /* what the provider below is told of it */
	HMODULE dll;
	WSPPROC_TABLE table;
} NEXT;

/*
 * Loads and starts the provider below a layer in a chain. The caller keeps the
 * result until NextStop, which undoes it. NULL: *lpErrno has the code.
 */
NEXT *NextStart(const WSAPROTOCOL_INFOW *chain, const GUID *layer, WSPUPCALLTABLE upcalls, LPINT lpErrno);
void NextStop(NEXT *next);

/*
 * Writes a line to the file that the environment variable LAYER_LOG names, if
 * there is one; name is the layer's.
 */
void Log(const char *name, const char *format, ...);

#endif
