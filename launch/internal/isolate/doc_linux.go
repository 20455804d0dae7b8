// Package isolate is the door that runs a program in user, network and mount
// namespaces of its own. The one link that leads out of them ends in this
// process, in gVisor's network stack, and what arrives there goes through the
// chains of package chains. No system call is trapped.
//
// [Start] starts a program (stage_linux.go) in namespaces that namespace_linux.go
// makes with the messages of netlink_linux.go and names_linux.go, and a [Server]
// for it (server_linux.go). link_linux.go is the link's outer end, tcp_linux.go,
// udp_linux.go and refusal_linux.go what becomes of packets,
// addresses_linux.go the addresses that mean something here. guard_linux.go is a
// process for the time after this one, flows_linux.go what it knows. [Examine] tries
// whether the machine allows it (examine_linux.go).
package isolate
