// Package seccomp is the door that traps a program's system calls by seccomp user
// notification: its sockets stay its own, and connects, names and errors go
// through the chains of package chains.
//
// [Start] starts a program under the filter (stage_linux.go, filter_linux.go)
// and a [Server] for it (server_linux.go, receivers_linux.go, notify_linux.go). connect_linux.go and
// names_linux.go are the trapped calls, attempt_linux.go and watch_linux.go one
// connect from the call to its end, join_linux.go, syn_hold_linux.go and
// relayed_linux.go what non-IFS chains need, table_linux.go what is known of a
// socket, tracee_linux.go and pidfds_linux.go the looks into the program.
//
// Servers: listen_linux.go and accept_linux.go are the calls, accept_queue_linux.go
// who accepts on one socket at a time, borrowers_linux.go who keeps a dup of a closed
// socket, listen_joined_linux.go and servers_linux.go the chain's sockets that stand
// for the program's, alive_linux.go which of those are still open.
//
// Unix sockets about which a chain decides: unix_call_linux.go, unix_bind_linux.go
// and unix_send_linux.go are the calls, unix_view_linux.go where the program's paths
// lead, unix_identity_linux.go acting as the program's user.
//
// [Examine] (examine_linux.go) tries on a subject (subject_linux.go) whether the
// machine allows all this.
package seccomp

// Supported reports whether programs of this machine can be trapped.
const Supported = nativeArch != 0
