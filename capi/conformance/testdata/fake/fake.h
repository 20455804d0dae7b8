/*
 * A base provider, or a layer over descriptors, whose functions a test program
 * replaces. The program loads the same object as the host does, and finds what
 * both of them see by the exported function Fake.
 */
#ifndef FAKE_H
#define FAKE_H

#include <ws2spi.h>

enum { FAKE_STARTS = 8 };

struct fake {
	GUID id;
	DWORD ids[8];        /* of its entries, as the catalog has them */
	WSPPROC_TABLE table; /* what a start answers */
	WORD version;        /* so is this */
	int start_error;     /* and this, unless 0 */

	/* What starts were called with. */
	int starts, cleanups;
	WORD requested[FAKE_STARTS];
	WSAPROTOCOL_INFOW entries[FAKE_STARTS];
	WSPUPCALLTABLE upcalls; /* of the latest */

	/* How often its own functions were called. */
	int sockets, listens, closes, questions;
	WSAPROTOCOL_INFOW socket_entry; /* of the latest WSPSocket */

	WSPPROC_TABLE next; /* of a layer: the provider below */
};

typedef struct fake *(*FAKE)(void);

#endif
