# What servers do, and what they are told: each line must be the same with upcall
# as without. The arguments are two ports where nobody else listens.
import os, resource, signal, socket, sys, threading

l = socket.socket(); l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); l.bind(("127.0.0.1", int(sys.argv[1]))); l.listen(64)
at = l.getsockname()
kids = []
for _ in range(4):
    pid = os.fork()
    if pid == 0:
        while True:
            c, p = l.accept()
            c.sendall(b"%d" % os.getpid()); c.close()
    kids.append(pid)
l.close()
def ask():
    c = socket.create_connection(at, 10); d = b""
    while True:
        b = c.recv(100)
        if not b: break
        d += b
    c.close(); return int(d)
got = [ask() for _ in range(40)]
print(all(g in kids for g in got), len(got))
# kill one while it accepts: no connection is lost
os.kill(kids[0], signal.SIGKILL); os.waitpid(kids[0], 0)
got = [ask() for _ in range(40)]
print(all(g in kids[1:] for g in got), len(got))
for k in kids[1:]: os.kill(k, signal.SIGTERM); os.waitpid(k, 0)
# the address is free at once, as all have closed it
n = socket.socket(); n.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); n.bind(at); n.listen(); print("bound again")
# EMFILE: the connection stays in the queue
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (32, hard))
c = socket.create_connection(at)
fill = []
try:
    while True: fill.append(os.dup(0))
except OSError: pass
try: n.accept(); print("accepted")
except OSError as e: print(e)
for f in fill: os.close(f)
a, p = n.accept(); print("then", p == c.getsockname()); a.close()
# timeouts and nonblocking
n.settimeout(0.05)
try: n.accept()
except OSError as e: print(type(e).__name__)
n.setblocking(False)
try: n.accept()
except OSError as e: print(e)
# signals
n.setblocking(True)
class Alarm(Exception): pass
def on(*_): raise Alarm
signal.signal(signal.SIGALRM, on)
try: signal.setitimer(signal.ITIMER_REAL, 0.1); n.accept()
except Alarm: print("alarm")
# shutdown ends an accept
t = threading.Timer(0.2, lambda: n.shutdown(socket.SHUT_RDWR)); t.start()
try: n.accept()
except OSError as e: print(e)
t.join()
# it keeps its address then, and may listen again
for _ in range(3):
    try: socket.create_connection(at, 10); print("connected")
    except OSError as e: print(e)
    try: socket.socket().bind(at); print("bound")
    except OSError as e: print(e)
    print(n.getsockname() == at); n.listen()
    c = socket.create_connection(at, 10); a, p = n.accept(); a.sendall(b"again"); a.close(); print(c.recv(10), p == c.getsockname()); c.close()
    n.shutdown(socket.SHUT_RDWR)
# listening without bind; v6; v6only
u = socket.socket(); u.listen(); print(u.getsockname()[0], u.getsockname()[1] > 0)
w = socket.socket(socket.AF_INET6); w.bind(("::", 0)); w.listen()
c4 = socket.create_connection(("127.0.0.1", w.getsockname()[1])); a, p = w.accept(); print(p[0], a.getsockname()[0], a.getpeername() == p)
o = socket.socket(socket.AF_INET6); o.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1); o.bind(("::", int(sys.argv[2]))); o.listen()
try: socket.create_connection(("127.0.0.1", o.getsockname()[1]))
except OSError as e: print(e)
c6 = socket.create_connection(("::1", o.getsockname()[1])); a, p = o.accept(); print(p[0], a.getsockname()[0])
# bind errors
b = socket.socket()
for x in (at, ("192.0.2.1", 0)):
    try: b.bind(x); print("bound", x[0]); b = socket.socket()
    except OSError as e: print(e)
b = socket.socket(); b.bind(("127.0.0.1", 0))
try: b.bind(("127.0.0.1", 0))
except OSError as e: print(e)
d = socket.socket()
try: d.bind(b.getsockname())
except OSError as e: print(e)
# bound before connect
k = socket.socket(); k.bind(("127.0.0.1", 0)); mine = k.getsockname(); k.connect(("127.0.0.1", u.getsockname()[1])); a, p = u.accept(); print(p == mine, k.getsockname() == mine)
# REUSEPORT
r1 = socket.socket(); r1.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1); r1.bind(("127.0.0.1", 0)); r1.listen()
r2 = socket.socket(); r2.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1); r2.bind(r1.getsockname()); r2.listen(); print("shared", r1.getsockname() == r2.getsockname())
# closed: nobody connects to it any more, and the address is free
where = "127.0.0.9", int(sys.argv[1])
for i in range(50):
    q = socket.socket(); q.bind(where); q.listen(); q.close()
    try: socket.create_connection(where, 10); print("connected", i)
    except ConnectionRefusedError: pass
    q = socket.socket(); q.bind(where); q.listen(); q.close()
    q = socket.socket(); q.bind(where); q.close()
