package spi

// SockNotifyRegistration is SOCK_NOTIFY_REGISTRATION: what
// ProcessSocketNotifications does to the registration of one socket.
// Source: winsock2/ns-winsock2-sock_notify_registration.
type SockNotifyRegistration struct {
	Socket             Socket
	CompletionKey      uintptr // of the notifications; counts for a new registration
	EventFilter        uint16  // SOCK_NOTIFY_REGISTER_EVENT_
	Operation          uint8   // one SOCK_NOTIFY_OP_
	TriggerFlags       uint8   // SOCK_NOTIFY_TRIGGER_
	RegistrationResult Errno   // how it went
}

// Events that a registration asks for. ERR and REMOVE come unasked.
const (
	SOCK_NOTIFY_REGISTER_EVENT_NONE   = 0x00
	SOCK_NOTIFY_REGISTER_EVENT_IN     = 0x01
	SOCK_NOTIFY_REGISTER_EVENT_OUT    = 0x02
	SOCK_NOTIFY_REGISTER_EVENT_HANGUP = 0x04
	SOCK_NOTIFY_REGISTER_EVENTS_ALL   = 0x07
)

// Events of a notification, which is a packet of a completion port that has them
// in place of a number of bytes.
const (
	SOCK_NOTIFY_EVENT_IN     = SOCK_NOTIFY_REGISTER_EVENT_IN     // reading, or accepting, would not block
	SOCK_NOTIFY_EVENT_OUT    = SOCK_NOTIFY_REGISTER_EVENT_OUT    // writing would not block
	SOCK_NOTIFY_EVENT_HANGUP = SOCK_NOTIFY_REGISTER_EVENT_HANGUP // the connection was ended or aborted
	SOCK_NOTIFY_EVENT_ERR    = 0x40                              // the socket has an error
	SOCK_NOTIFY_EVENT_REMOVE = 0x80                              // the registration is gone: the last of its notifications
	SOCK_NOTIFY_EVENTS_ALL   = SOCK_NOTIFY_REGISTER_EVENTS_ALL | SOCK_NOTIFY_EVENT_ERR | SOCK_NOTIFY_EVENT_REMOVE
)

// Operations on a registration.
const (
	SOCK_NOTIFY_OP_NONE    = 0x00
	SOCK_NOTIFY_OP_ENABLE  = 0x01
	SOCK_NOTIFY_OP_DISABLE = 0x02
	SOCK_NOTIFY_OP_REMOVE  = 0x04
)

// What triggers a notification: one of LEVEL and EDGE. Without ONESHOT a
// registration is PERSISTENT.
const (
	SOCK_NOTIFY_TRIGGER_ONESHOT    = 0x01
	SOCK_NOTIFY_TRIGGER_PERSISTENT = 0x02
	SOCK_NOTIFY_TRIGGER_LEVEL      = 0x04
	SOCK_NOTIFY_TRIGGER_EDGE       = 0x08
	SOCK_NOTIFY_TRIGGER_ALL        = 0x0f
)
