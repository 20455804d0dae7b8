# Control messages of datagrams: what is sent with one arrives with it.
import socket, struct
def attempt(what, f):
    try: print(what, f())
    except OSError as e: print(what, e)
IP_PKTINFO, IP_RECVTTL = 8, 12
def number(x): return struct.pack("i", x)
def told(s): return [(level, kind, list(data[:4])) for level, kind, data in sorted(s.recvmsg(100, 1000)[1])]

four, six = [(socket.IPPROTO_IP, x) for x in (socket.IP_TOS, socket.IP_TTL)], [(socket.IPPROTO_IPV6, x) for x in (socket.IPV6_TCLASS, socket.IPV6_HOPLIMIT)]
for family, host, wanted, hints in (
        (socket.AF_INET, "127.0.0.1", ((socket.IPPROTO_IP, IP_RECVTTL), (socket.IPPROTO_IP, socket.IP_RECVTOS)), four),
        (socket.AF_INET6, "::1", ((socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT), (socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS)), six)):
    s = socket.socket(family, socket.SOCK_DGRAM); s.bind((host, 0)); s.settimeout(10)
    for level, option in wanted: s.setsockopt(level, option, 1)
    c = socket.socket(family, socket.SOCK_DGRAM)
    (l, klass), (_, life) = hints
    attempt("both", lambda: (c.sendmsg([b"x"], [(l, klass, number(4)), (l, life, number(7))], 0, s.getsockname()), told(s)))
    attempt("one", lambda: (c.sendmsg([b"y", b"z"], [(l, life, number(9))], 0, s.getsockname()), told(s)))
    attempt("none", lambda: (c.sendmsg([b"x"], [], 0, s.getsockname()), told(s)))
    attempt("byte", lambda: (c.sendmsg([b"x"], [(l, klass, b"\4")], 0, s.getsockname()), told(s)))
    attempt("too long", lambda: c.sendmsg([b"x"], [(l, klass, number(4) + b"\0")], 0, s.getsockname()))
    attempt("too much", lambda: c.sendmsg([b"x"], [(l, life, number(256))], 0, s.getsockname()))
    attempt("too little", lambda: c.sendmsg([b"x"], [(l, life, number(-2))], 0, s.getsockname()))
# an IPv6 socket has IPv4's on the way to a mapped address
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("127.0.0.1", 0)); s.settimeout(10)
for level, option in (socket.IPPROTO_IP, IP_RECVTTL), (socket.IPPROTO_IP, socket.IP_RECVTOS): s.setsockopt(level, option, 1)
c = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
mapped = "::ffff:127.0.0.1", s.getsockname()[1]
attempt("mapped", lambda: (c.sendmsg([b"x"], [(socket.IPPROTO_IP, socket.IP_TOS, number(4)), (socket.IPPROTO_IP, socket.IP_TTL, number(7))], 0, mapped), told(s)))
attempt("not heeded", lambda: (c.sendmsg([b"x"], [(socket.IPPROTO_IPV6, socket.IPV6_HOPLIMIT, number(7))], 0, mapped), told(s)))
attempt("too much", lambda: c.sendmsg([b"x"], [(socket.IPPROTO_IP, socket.IP_TTL, number(256))], 0, mapped))
t = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); t.bind(("::1", 0)); t.settimeout(10)
attempt("other way", lambda: (c.sendmsg([b"x"], [(socket.IPPROTO_IP, socket.IP_TTL, number(256))], 0, t.getsockname()), t.recv(10)))
# a server at any address answers from the one that was asked

s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1); s.bind(("0.0.0.0", 0)); s.settimeout(10)
c = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); c.settimeout(10); c.sendto(b"question", ("127.0.0.7", s.getsockname()[1]))
data, control, flags, client = s.recvmsg(100, 1000)
asked = control[0][2][8:12]
print(data, socket.inet_ntoa(asked))
attempt("answer", lambda: s.sendmsg([b"answer"], [(socket.IPPROTO_IP, IP_PKTINFO, number(0) + asked + bytes(4))], 0, client))
print(c.recvfrom(100)[1][0])
attempt("not here", lambda: s.sendmsg([b"answer"], [(socket.IPPROTO_IP, IP_PKTINFO, number(0) + socket.inet_aton("192.0.2.1") + bytes(4))], 0, client))
