/* Modes of locking a file's region, which no socket program uses here. */
#ifndef UPCALL_SYS_LOCKING_H
#define UPCALL_SYS_LOCKING_H

#define _LK_UNLCK 0
#define _LK_LOCK 1
#define _LK_NBLCK 2
#define _LK_RLCK 3
#define _LK_NBRLCK 4

#endif
