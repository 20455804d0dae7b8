/* blocking.c over Winsock. */
#define WINSOCK
#include "blocking.c"
