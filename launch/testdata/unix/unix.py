# What programs do with Unix sockets. The argument is a directory of their own; the
# outcome is the same wherever it is.
import array, errno, os, signal, socket, stat, struct, sys, threading, time

where = sys.argv[1]
os.chdir(where)
os.mkdir("deep")
os.symlink("deep", "link")


def outcome(what, call, *args):
    try:
        print(what, call(*args))
    except OSError as e:
        print(what, errno.errorcode.get(e.errno, e))


def sock(kind=socket.SOCK_STREAM):
    return socket.socket(socket.AF_UNIX, kind)


def shown(address):
    return address.replace(where, "WHERE") if isinstance(address, str) else address


def exchange(kind, at, names):
    l = sock(kind)
    l.bind(at)
    l.listen(1)
    print("listens", shown(l.getsockname()) if names else "")
    for name in names:
        c = sock(kind)
        c.connect(name)
        a, peer = l.accept()
        c.sendall(b"question")
        a.sendall(a.recv(100).upper())
        who = struct.unpack("3i", a.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        print(shown(name), c.recv(100), shown(c.getpeername()), c.getsockname(), peer, who[1:] == (os.getuid(), os.getgid()), c.getblocking())
        outcome("again", c.connect, name)
        c.close()
        a.close()
    return l


for kind in socket.SOCK_STREAM, socket.SOCK_SEQPACKET:
    exchange(kind, "relative", ["relative", "./link/../relative", where + "/relative", "link/../relative"])
    exchange(kind, where + "/absolute", ["absolute", where + "/link/../absolute"])
    exchange(kind, "\0upcall-test-%d" % os.getpid(), [])
    os.unlink("relative")
    os.unlink("absolute")

# Names of abstract sockets, of unnamed ones, and of those that find a name.
l = sock()
l.bind("\0abstract %d" % os.getpid())
l.listen()
c = sock()
c.connect(l.getsockname())
print(c.getpeername() == l.getsockname(), l.accept()[1])
s = sock()
s.bind("")
print(len(s.getsockname()), s.getsockname()[0])
outcome("bound again", s.bind, "again")

# What a socket's file is like.
for mask in 0o022, 0o077, 0o111:
    os.umask(mask)
    s = sock()
    s.bind("deep/file")
    info = os.stat("deep/file")
    print(oct(stat.S_IMODE(info.st_mode)), stat.S_ISSOCK(info.st_mode), info.st_uid == os.getuid(), info.st_gid == os.getgid(), s.getsockname())
    os.unlink("deep/file")
os.umask(0o022)

# Errors.
open("plain", "w").close()
os.symlink("nowhere", "dangling")
os.symlink("loop", "loop")
for name in "nothing", "nothing/at/all", "plain", "plain/below", "dangling", "loop", "deep", "x" * 108, "x" * 107, "/", ".":
    for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
        outcome("connect to %.12s" % name, sock(kind).connect, name)
    outcome("send to %.12s" % name, sock(socket.SOCK_DGRAM).sendto, b"x", name)
for name in "plain", "nothing/at/all", "dangling", "loop/x", "deep", "deep/", ".", "..", "", "/":
    outcome("bind to %s" % name, sock().bind, name)
outcome("listen without a name", sock().listen)
s = sock()
s.bind("deaf")
outcome("nobody listens", sock().connect, "deaf")
outcome("a datagram to a stream", sock(socket.SOCK_DGRAM).connect, "deaf")
s.listen()
outcome("a packet to a stream", sock(socket.SOCK_SEQPACKET).connect, "deaf")
if os.getuid() != 0:
    os.chmod("deaf", 0)
    outcome("without permission", sock().connect, "deaf")

# A queue that is full.
l = sock()
l.bind("full")
l.listen(0)
clients = []
while True:
    c = sock()
    c.setblocking(False)
    try:
        c.connect("full")
        clients.append(c)
    except OSError as e:
        print(errno.errorcode[e.errno], len(clients))
        break
c = sock()
c.settimeout(0.1)
try:
    c.connect("full")
except (OSError, TimeoutError) as e:
    print("full", type(e).__name__)
c = sock()
c.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 0, 100000))
outcome("full", c.connect, "full")
done = []
c = sock()
t = threading.Thread(target=lambda: done.append(c.connect("full")))
t.start()
l.accept()
t.join()
print(done, c.getblocking(), c.getpeername())

# Datagrams, with descriptors, from and to names.
a, b = sock(socket.SOCK_DGRAM), sock(socket.SOCK_DGRAM)
a.bind("a")
b.bind(where + "/b")
for name in "b", where + "/link/../b":
    print(a.sendto(b"hello", name), shown(b.recvfrom(100)))
print(a.sendto(b"", "b"), b.recvfrom(100))
r, w = os.pipe()
print(a.sendmsg([b"o", b"ne"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [w, r]))], 0, "b"))
data, control, flags, source = b.recvmsg(100, 1000)
got = array.array("i", control[0][2])
os.write(got[0], b"through the pipe")
print(data, source, os.read(r, 100), os.fstat(got[1]).st_ino == os.fstat(r).st_ino)
outcome("a bad descriptor", a.sendmsg, [b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [9999]))], 0, "b")
outcome("too long", a.sendto, b"x" * 10000000, "b")
a.connect("b")
print(a.send(b"connected"), a.sendmsg([b"and ", b"so"]), b.recv(100), b.recv(100), shown(a.getpeername()))
b.close()
outcome("nobody receives", a.sendto, b"x", "b")
a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
print(a.sendmsg([b"pair"]), b.recv(100))
a.setblocking(False)
n = 0
try:
    while True:
        a.sendmsg([b"y" * 100])
        n += 1
except BlockingIOError as e:
    print(errno.errorcode[e.errno], n > 0)
a, b = socket.socketpair()
print(a.sendmsg([b"stream"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [r]))]), b.recvmsg(100, 100)[0])
outcome("to an address", a.sendto, b"x", "b")

# A directory that is open, and one that is gone.
l = sock()
l.bind("deep/far")
l.listen()
fd = os.open("deep", os.O_RDONLY)
for name in "/proc/self/fd/%d/far" % fd, "/proc/thread-self/fd/%d/far" % fd, "/dev/fd/%d/far" % fd:
    c = sock()
    c.connect(name)
    l.accept()
print("by a descriptor")
if os.fork() == 0:
    os.mkdir("gone")
    os.chdir("gone")
    os.rmdir("../gone")
    outcome("gone", sock().bind, "x")
    outcome("gone", sock().connect, "x")
    sys.stdout.flush()
    os._exit(0)
os.wait()

# A signal whose handler lets the call go on.
signal.signal(signal.SIGALRM, lambda *_: None)
listener = sock()
listener.bind("busy")
listener.listen(0)
first = sock()
first.connect("busy")
signal.setitimer(signal.ITIMER_REAL, 0.05)
t = threading.Timer(0.3, listener.accept)
t.start()
c = sock()
c.connect("busy")
t.join()
print("connected after a signal")

# A user without the privileges of the one who started it.
if os.getuid() == 0:
    os.chmod(".", 0o777)
    os.makedirs("private/deep", 0o700)
    l = sock()
    l.bind("private/deep/socket")
    l.listen()
    if os.fork() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        s = sock()
        s.bind("nobody's")
        info = os.stat("nobody's")
        print(info.st_uid, info.st_gid, oct(stat.S_IMODE(info.st_mode)))
        outcome("into a private directory", sock().connect, "private/deep/socket")
        outcome("in a private directory", sock().bind, "private/mine")
        s.listen()
        c = sock()
        c.connect("nobody's")
        print(struct.unpack("3i", s.accept()[0].getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[1:])
        a, b = sock(socket.SOCK_DGRAM), sock(socket.SOCK_DGRAM)
        b.bind("datagrams")
        print(a.sendto(b"from nobody", "datagrams"), b.recvfrom(100))
        sys.stdout.flush()
        os._exit(0)
    os.wait()
