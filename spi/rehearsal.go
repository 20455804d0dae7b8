package spi

// SIO_REHEARSE is this host's own ioctl by which a stream socket of AF_UNIX
// becomes one that acts on nothing: WSPConnect, WSPBind, WSPListen and WSPSendTo
// succeed in the base provider as soon as it has looked at their arguments. By
// it the layers of a chain are asked about a call that is carried out elsewhere.
// in is the address that WSPGetSockName gives from then on, which may be empty.
// An address may be longer than the kernel's own. It cannot be undone. WSAEOPNOTSUPP
// where the provider has no such thing, or the socket is of another kind.
const SIO_REHEARSE = 0x98005545
