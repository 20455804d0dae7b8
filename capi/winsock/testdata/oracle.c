#include "oracle.h"

static void addresses(const char *node, const char *service, int family, int type, int flags)
{
	struct addrinfo hints, *list = 0, *a;
	char host[NI_MAXHOST], port[NI_MAXSERV];
	int e;

	memset(&hints, 0, sizeof hints);
	hints.ai_family = family;
	hints.ai_socktype = type;
	hints.ai_flags = flags;
	e = getaddrinfo(node, service, &hints, &list);
	printf("getaddrinfo %s %s %s %s %s%s%s%s%s: %s\n", node ? node : "-", service ? service : "-",
		family == AF_INET6 ? "inet6" : family == AF_INET ? "inet" : "any", type == SOCK_STREAM ? "stream" : "dgram",
		flags & AI_PASSIVE ? " passive" : "", flags & AI_CANONNAME ? " canonname" : "",
		flags & AI_NUMERICHOST ? " numerichost" : "", flags & AI_V4MAPPED ? " v4mapped" : "",
		flags & AI_ALL ? " all" : "", error_name(e));
	if (e)
		return;
	for (a = list; a; a = a->ai_next) {
		e = getnameinfo(a->ai_addr, a->ai_addrlen, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV);
		printf("getaddrinfo %s %s: %s %s type %d protocol %d length %d family %s %s\n", node ? node : "-", service ? service : "-",
			e ? error_name(e) : host, port, a->ai_socktype, a->ai_protocol, (int)a->ai_addrlen,
			a->ai_family == a->ai_addr->sa_family ? "same" : "other", a->ai_canonname ? a->ai_canonname : "-");
	}
	freeaddrinfo(list);
}

static void names(const char *text, int port, int flags, unsigned host_size, unsigned service_size)
{
	struct sockaddr_in a4;
	struct sockaddr_in6 a6;
	char host[NI_MAXHOST] = "-", service[NI_MAXSERV] = "-";
	int e;

	memset(&a4, 0, sizeof a4);
	memset(&a6, 0, sizeof a6);
	if (inet_pton(AF_INET, text, &a4.sin_addr) == 1) {
		a4.sin_family = AF_INET;
		a4.sin_port = port >> 8 | (port & 0xff) << 8;
		e = getnameinfo((struct sockaddr *)&a4, sizeof a4, host, host_size, service, service_size, flags);
	} else {
		inet_pton(AF_INET6, text, &a6.sin6_addr);
		a6.sin6_family = AF_INET6;
		a6.sin6_port = port >> 8 | (port & 0xff) << 8;
		e = getnameinfo((struct sockaddr *)&a6, sizeof a6, host, host_size, service, service_size, flags);
	}
	printf("getnameinfo %s %d%s%s%s%s: %s %s %s\n", text, port, flags & NI_NUMERICHOST ? " numerichost" : "",
		flags & NI_NUMERICSERV ? " numericserv" : "", flags & NI_DGRAM ? " dgram" : "", flags & NI_NAMEREQD ? " namereqd" : "",
		error_name(e), e ? "-" : host, e ? "-" : service);
}

static void host(const char *question, struct hostent *h)
{
	char text[64];

	if (!h) {
		printf("host %s: none\n", question);
		return;
	}
	printf("host %s: %s length %d\n", question, h->h_name, h->h_length);
	for (char **p = h->h_aliases; *p; p++)
		printf("host %s: alias %s\n", question, *p);
	for (char **p = h->h_addr_list; *p; p++)
		printf("host %s: address %s\n", question, inet_ntop(h->h_addrtype, *p, text, sizeof text));
}

static void service(const char *question, struct servent *s)
{
	if (!s) {
		printf("service %s: none\n", question);
		return;
	}
	printf("service %s: %s %d %s\n", question, s->s_name, (s->s_port >> 8 & 0xff) | (s->s_port & 0xff) << 8, s->s_proto);
	for (char **p = s->s_aliases; *p; p++)
		printf("service %s: alias %s\n", question, *p);
}

static void protocol(const char *question, struct protoent *p)
{
	if (!p) {
		printf("protocol %s: none\n", question);
		return;
	}
	printf("protocol %s: %s %d\n", question, p->p_name, p->p_proto);
	for (char **a = p->p_aliases; *a; a++)
		printf("protocol %s: alias %s\n", question, *a);
}

static void text(int family, const char *address)
{
	unsigned char bytes[16] = {0};
	char back[64] = "-";
	int e = inet_pton(family, address, bytes);

	if (e == 1 && !inet_ntop(family, bytes, back, sizeof back))
		strcpy(back, "no text");
	printf("text %s %s: %d %s\n", family == AF_INET ? "inet" : "inet6", address, e, back);
}

int main(int argc, char **argv)
{
	static const char *const nodes[] = {
		"127.0.0.1", "localhost", "::1", "fe80::1", "2001:db8::5", "127.1", "0x7f.1",
	};
	static const char *const numbers[] = {"256.1.1.1", "1.2.3.4.5", "::g", "1.2.3.4", "::ffff:1.2.3.4", "host", "", "1.2.3.4 "};
	static const char *const services[] = {0, "80", "http", "domain", "0", "65535", "nosuchservice"};
	static const char *const texts[] = {
		"0.0.0.0", "255.255.255.255", "1.2.3", "1.2.3.4", "01.2.3.4", "1.2.3.256", "1.2.3.4 ", "", ".", "1..2.3", "::", "::1", "1::", "1:2:3:4:5:6:7:8",
		"1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7", "1::2::3", "FE80::Ab", "::ffff:10.0.0.1", "64:ff9b::10.0.0.1", "::12345", "fe80::1%1", "1:0:0:2:0:0:0:3", "0:0:0:0:0:0:0:1",
	};
	const char *own = argc > 1 ? argv[1] : "localhost";
	char address4[4] = {127, 0, 0, 1};

#ifndef LIBC
	WSADATA data;

	if (WSAStartup(MAKEWORD(2, 2), &data))
		return 2;
#endif
	for (unsigned n = 0; n < sizeof nodes / sizeof *nodes; n++)
		for (unsigned s = 0; s < sizeof services / sizeof *services; s++)
			for (int f = 0; f < 3; f++)
				for (int t = 0; t < 2; t++)
					addresses(nodes[n], services[s], f == 0 ? AF_UNSPEC : f == 1 ? AF_INET : AF_INET6,
						t ? SOCK_DGRAM : SOCK_STREAM, (n + s + f) % 3 ? 0 : AI_CANONNAME);
	for (unsigned n = 0; n < sizeof numbers / sizeof *numbers; n++)
		addresses(numbers[n], "80", AF_UNSPEC, SOCK_STREAM, AI_NUMERICHOST);
	addresses(own, "http", AF_INET, SOCK_STREAM, 0);
	addresses(0, "80", AF_UNSPEC, SOCK_STREAM, AI_PASSIVE);
	addresses(0, "80", AF_UNSPEC, SOCK_STREAM, 0);
	addresses(0, 0, AF_UNSPEC, SOCK_STREAM, 0);
	addresses(0, "80", AF_INET6, SOCK_DGRAM, AI_PASSIVE);
	addresses("localhost", "80", AF_UNSPEC, SOCK_STREAM, AI_NUMERICHOST);
	addresses("127.0.0.1", "80", AF_INET6, SOCK_STREAM, AI_V4MAPPED);
	addresses("127.0.0.1", "http", AF_UNSPEC, SOCK_STREAM, AI_NUMERICSERV);
	addresses(0, "80", AF_UNSPEC, SOCK_STREAM, AI_CANONNAME);

	names("127.0.0.1", 80, 0, NI_MAXHOST, NI_MAXSERV);
	names("127.0.0.1", 53, NI_DGRAM, NI_MAXHOST, NI_MAXSERV);
	names("127.0.0.1", 53, NI_NAMEREQD, NI_MAXHOST, NI_MAXSERV);
	names("10.1.2.3", 8, NI_NUMERICHOST, NI_MAXHOST, NI_MAXSERV);
	names("::1", 80, NI_NUMERICHOST | NI_NUMERICSERV, NI_MAXHOST, NI_MAXSERV);
	names("2001:db8::7", 81, NI_NUMERICHOST, NI_MAXHOST, 0);
	names("10.1.2.3", 8080, NI_NUMERICHOST | NI_NUMERICSERV, 0, NI_MAXSERV);
	names("10.1.2.3", 8080, NI_NUMERICHOST | NI_NUMERICSERV, 4, NI_MAXSERV);
	names("10.1.2.3", 8080, NI_NUMERICHOST | NI_NUMERICSERV, NI_MAXHOST, 3);

	host("localhost", gethostbyname("localhost"));
	host("127.0.0.1", gethostbyname("127.0.0.1"));
	host("by 127.0.0.1", gethostbyaddr(address4, 4, AF_INET));
	service("http", getservbyname("http", "tcp"));
	service("http any", getservbyname("http", 0));
	service("domain udp", getservbyname("domain", "udp"));
	service("www", getservbyname("www", "tcp"));
	service("none", getservbyname("nosuchservice", "tcp"));
	service("443", getservbyport(443 >> 8 | (443 & 0xff) << 8, "tcp"));
	service("no port", getservbyport(1 << 8, "nosuchprotocol"));
	protocol("tcp", getprotobyname("tcp"));
	protocol("UDP", getprotobyname("UDP"));
	protocol("nosuchprotocol", getprotobyname("nosuchprotocol"));
	protocol("1", getprotobynumber(1));
	protocol("250", getprotobynumber(250));
	for (unsigned i = 0; i < sizeof texts / sizeof *texts; i++) {
		text(AF_INET, texts[i]);
		text(AF_INET6, texts[i]);
	}
#ifndef LIBC
	return WSACleanup();
#endif
	return 0;
}
