package netdb

// What a machine knows without files: the numbers that IANA has assigned to
// what is in common use.

var builtInServices = func() (all []Service) {
	for _, s := range []struct {
		name, alias string
		port        uint16
		protocols   []string
	}{
		{"echo", "", 7, both}, {"discard", "sink", 9, both}, {"daytime", "", 13, both},
		{"chargen", "ttytst", 19, both}, {"ftp-data", "", 20, tcp}, {"ftp", "", 21, tcp},
		{"ssh", "", 22, tcp}, {"telnet", "", 23, tcp}, {"smtp", "mail", 25, tcp},
		{"time", "timserver", 37, both}, {"domain", "", 53, both}, {"bootps", "", 67, udp},
		{"bootpc", "", 68, udp}, {"tftp", "", 69, udp}, {"gopher", "", 70, tcp},
		{"finger", "", 79, tcp}, {"http", "www", 80, tcp}, {"kerberos", "kerberos5", 88, both},
		{"pop3", "pop-3", 110, tcp}, {"sunrpc", "portmapper", 111, both}, {"nntp", "readnews", 119, tcp},
		{"ntp", "", 123, udp}, {"epmap", "loc-srv", 135, both}, {"netbios-ns", "nbname", 137, both},
		{"netbios-dgm", "nbdatagram", 138, udp}, {"netbios-ssn", "nbsession", 139, tcp}, {"imap2", "imap", 143, tcp},
		{"snmp", "", 161, both}, {"snmp-trap", "snmptrap", 162, both}, {"bgp", "", 179, tcp},
		{"irc", "", 194, both}, {"ldap", "", 389, both}, {"https", "", 443, both},
		{"microsoft-ds", "", 445, both}, {"kpasswd", "", 464, both}, {"submissions", "smtps", 465, tcp},
		{"syslog", "", 514, udp}, {"submission", "", 587, tcp}, {"ldaps", "", 636, both},
		{"domain-s", "", 853, both}, {"ftps", "", 990, tcp}, {"imaps", "", 993, tcp}, {"pop3s", "", 995, tcp},
		{"socks", "", 1080, tcp}, {"ms-sql-s", "", 1433, tcp}, {"ms-sql-m", "", 1434, udp},
		{"mysql", "", 3306, tcp}, {"ms-wbt-server", "", 3389, tcp}, {"sip", "", 5060, both},
		{"sip-tls", "", 5061, both}, {"xmpp-client", "jabber-client", 5222, tcp}, {"mdns", "", 5353, udp},
		{"postgresql", "postgres", 5432, tcp}, {"http-alt", "webcache", 8080, tcp},
	} {
		for _, protocol := range s.protocols {
			service := Service{Name: s.name, Protocol: protocol, Port: s.port}
			if s.alias != "" {
				service.Aliases = []string{s.alias}
			}
			all = append(all, service)
		}
	}
	return all
}()

var (
	tcp  = []string{"tcp"}
	udp  = []string{"udp"}
	both = []string{"tcp", "udp"}
)

var builtInProtocols = []Protocol{
	{"ip", []string{"IP"}, 0}, {"icmp", []string{"ICMP"}, 1}, {"igmp", []string{"IGMP"}, 2},
	{"ggp", []string{"GGP"}, 3}, {"ipencap", []string{"IP-ENCAP"}, 4}, {"tcp", []string{"TCP"}, 6},
	{"egp", []string{"EGP"}, 8}, {"pup", []string{"PUP"}, 12}, {"udp", []string{"UDP"}, 17},
	{"hmp", []string{"HMP"}, 20}, {"xns-idp", []string{"XNS-IDP"}, 22}, {"rdp", []string{"RDP"}, 27},
	{"dccp", []string{"DCCP"}, 33}, {"ipv6", []string{"IPv6"}, 41}, {"ipv6-route", []string{"IPv6-Route"}, 43},
	{"ipv6-frag", []string{"IPv6-Frag"}, 44}, {"gre", []string{"GRE"}, 47}, {"esp", []string{"ESP"}, 50},
	{"ah", []string{"AH"}, 51}, {"ipv6-icmp", []string{"IPv6-ICMP"}, 58}, {"ipv6-nonxt", []string{"IPv6-NoNxt"}, 59},
	{"ipv6-opts", []string{"IPv6-Opts"}, 60}, {"ospf", []string{"OSPFIGP"}, 89}, {"sctp", []string{"SCTP"}, 132},
	{"udplite", []string{"UDPLite"}, 136},
}
