/* <iphlpapi.h> has what is needed. */
