import socket, sys, select
host, port = sys.argv[1], int(sys.argv[2])
family = socket.AF_INET6 if ":" in host else socket.AF_INET
def attempt(what, f):
    try:
        print(what, f())
    except OSError as e:
        print(what, e)
# Layers that send later by themselves, such as shape, do not tell of refusals.
s = socket.socket(family, socket.SOCK_DGRAM)
s.settimeout(10)
if sys.argv[3] == "refusals":
    s.connect((host, port))
    attempt("send", lambda: s.send(b"x"))
    attempt("recv", lambda: s.recv(10))
    attempt("peer", lambda: s.getpeername() == s.getpeername())
    attempt("again", lambda: s.send(b"x"))
    p = select.poll()
    p.register(s, select.POLLIN)
    print(len(p.poll(10000)), "ready")
    attempt("so_error", lambda: s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
    attempt("so_error", lambda: s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
u = socket.socket(family, socket.SOCK_DGRAM)
u.settimeout(0.2)
attempt("unconnected", lambda: u.sendto(b"x", (host, port)))
attempt("unconnected", lambda: u.recvfrom(10))
u.setblocking(False)
attempt("nonblocking", lambda: u.recvfrom(10))
# disconnected, and connected again
s.connect((host, port))
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
none = (ctypes.c_char * 16)()
print("unspec", libc.connect(s.fileno(), none, 16))
attempt("peer", s.getpeername)
attempt("send", lambda: s.send(b"x"))
# servers
a = socket.socket(family, socket.SOCK_DGRAM); b = socket.socket(family, socket.SOCK_DGRAM)
for x in a, b:
    x.settimeout(10)
    x.bind((host, 0))
attempt("bind again", lambda: a.bind((host, 0)))
attempt("in use", lambda: socket.socket(family, socket.SOCK_DGRAM).bind(a.getsockname()))
attempt("not here", lambda: socket.socket(family, socket.SOCK_DGRAM).bind(("192.0.2.1" if family == socket.AF_INET else "2001:db8::1", 0)))
a.sendto(b"from a", b.getsockname())
data, at = b.recvfrom(100)
print(data, at == a.getsockname())
b.sendto(b"from b", at)
data, anc, flags, at = a.recvmsg(3, 100)
print(data, flags == socket.MSG_TRUNC, at == b.getsockname())
b.sendto(b"peeked", a.getsockname())
data, at = a.recvfrom(100, socket.MSG_PEEK)
print(data, at == b.getsockname(), a.recvfrom(100)[0])
clients = [socket.socket(family, socket.SOCK_DGRAM) for i in range(20)]
for i, c in enumerate(clients):
    c.bind((host, 0))
    c.sendto(b"%d" % i, a.getsockname())
seen = {}
for c in clients:
    data, at = a.recvfrom(100)
    seen[int(data)] = at
print([seen[i] == c.getsockname() for i, c in enumerate(clients)])
if family == socket.AF_INET6:
    m = socket.socket(family, socket.SOCK_DGRAM); m.settimeout(10)
    m.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    attempt("v6only", lambda: m.sendto(b"x", ("::ffff:127.0.0.1", 9)))
    m = socket.socket(family, socket.SOCK_DGRAM); m.settimeout(10); m.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    m.bind(("::", 0))
    m.sendto(b"six", a.getsockname())
    print(a.recvfrom(10)[0])
else:
    m = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); m.settimeout(10)
    m.sendto(b"mapped", ("::ffff:127.0.0.1", a.getsockname()[1]))
    data, at = a.recvfrom(10)
    print(data, at[0], at[1] == m.getsockname()[1])
    a.sendto(b"back", at)
    data, at = m.recvfrom(10)
    print(data, at[0], at[1] == a.getsockname()[1])
    m.connect(("::ffff:127.0.0.1", a.getsockname()[1]))
    print(m.getpeername()[0], m.getsockname()[0])
    m.send(b"connected")
    print(a.recvfrom(100)[0])
