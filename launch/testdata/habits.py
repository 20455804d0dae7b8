# What programs do with their sockets: each line must be the same with upcall as
# without. Both ends are here.
import array, errno, fcntl, os, resource, select, signal, socket, struct, subprocess, sys, tempfile, termios, threading, time


def habit(f):
    try:
        print(f.__name__, f(), flush=True)
    except OSError as e:
        print(f.__name__, errno.errorcode.get(e.errno, e), flush=True)


def listener(family=socket.AF_INET):
    host = "127.0.0.1" if family == socket.AF_INET else "::1"
    return socket.create_server((host, 0), family=family)


def pair(blocking=True):
    l = listener()
    c = socket.socket()
    if blocking:
        c.connect(l.getsockname())
    else:
        c.setblocking(False)
        assert c.connect_ex(l.getsockname()) in (0, errno.EINPROGRESS)
        select.select([], [c], [], 10)
        assert c.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
        c.setblocking(True)
    a, _ = l.accept()
    l.close()
    for s in c, a:
        s.settimeout(20)
        s.setblocking(True)
    return c, a


def exactly(s, n):
    got = b""
    while len(got) < n:
        block = s.recv(n - len(got))
        if not block:
            break
        got += block
    return got


def readable(s):
    return bool(select.select([s], [], [], 20)[0])


@habit
def names():
    c, a = pair()
    return c.getsockname() == a.getpeername(), a.getsockname() == c.getpeername(), c.getsockname()[0]


@habit
def names_of_nonblocking():
    c, a = pair(False)
    return c.getsockname() == a.getpeername(), a.getsockname() == c.getpeername()


@habit
def dup_before_connect():
    l = listener()
    c = socket.socket()
    copy = c.dup()
    copy.connect(l.getsockname())
    copy.close()
    a, _ = l.accept()
    c.sendall(b"by the other")
    return exactly(a, 12), c.getpeername() == l.getsockname()


@habit
def dup2_over_it():
    c, a = pair()
    fd = c.detach()
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, fd)
    os.close(null)
    os.close(fd)
    return a.recv(1)


@habit
def passed_before_connect():
    l = listener()
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        _, fds, _, _ = socket.recv_fds(theirs, 1, 1)
        s = socket.socket(fileno=fds[0])
        s.connect(l.getsockname())
        theirs.send(b"c")
        os._exit(0)
    c = socket.socket()
    socket.send_fds(ours, [b"s"], [c.fileno()])
    ours.recv(1)
    os.waitpid(pid, 0)
    a, _ = l.accept()
    a.sendall(b"hello")
    return exactly(c, 5), c.getpeername() == l.getsockname(), c.getsockname() == a.getpeername()


@habit
def passed_while_connected():
    c, a = pair()
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        a.close()
        c.close()
        _, fds, _, _ = socket.recv_fds(theirs, 1, 1)
        socket.socket(fileno=fds[0]).sendall(b"from the child")
        os._exit(0)
    socket.send_fds(ours, [b"s"], [c.fileno()])
    c.close()
    os.waitpid(pid, 0)
    return exactly(a, 14), a.recv(1)


@habit
def listener_is_passed():
    l = listener()
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        _, fds, _, _ = socket.recv_fds(theirs, 1, 1)
        a, _ = socket.socket(fileno=fds[0]).accept()
        a.sendall(b"accepted")
        os._exit(0)
    socket.send_fds(ours, [b"s"], [l.fileno()])
    c = socket.create_connection(l.getsockname())
    got = exactly(c, 8)
    os.waitpid(pid, 0)
    return got


@habit
def inherited_by_exec():
    c, a = pair()
    os.set_inheritable(c.fileno(), True)
    child = subprocess.run([sys.executable, "-c", "import socket, sys; s = socket.socket(fileno=int(sys.argv[1])); s.sendall(b'child'); print(s.getpeername()[1] == int(sys.argv[2]))", str(c.fileno()), str(a.getsockname()[1])], close_fds=False, stdout=subprocess.PIPE, check=True)
    return exactly(a, 5), child.stdout


@habit
def close_on_exec():
    c, a = pair()
    flags = fcntl.fcntl(c, fcntl.F_GETFD), fcntl.fcntl(a, fcntl.F_GETFD)
    child = subprocess.Popen(["cat"], stdin=subprocess.PIPE, close_fds=False)
    c.close()
    end = a.recv(1)
    child.communicate()
    return flags, end


@habit
def vfork():
    port = listener()
    r = subprocess.run([sys.executable, "-c", "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1])))", str(port.getsockname()[1])])
    return r.returncode, readable(port)


@habit
def epoll_before_connect():
    l = listener()
    c = socket.socket()
    c.setblocking(False)
    e = select.epoll()
    e.register(c, select.EPOLLOUT | select.EPOLLIN | select.EPOLLET)
    before = e.poll(0)
    c.connect_ex(l.getsockname())
    seen = 0
    while not seen & select.EPOLLOUT or seen & select.EPOLLHUP:
        for _, seen in e.poll(20):
            pass
    once = e.poll(0.05)
    a, _ = l.accept()
    a.sendall(b"x")
    edge = e.poll(20)
    level = e.poll(0.05)
    a.sendall(b"y")
    again = e.poll(20)
    return len(before), seen, once, [v for _, v in edge], level, [v for _, v in again]


@habit
def refused():
    l = socket.socket()
    l.bind(("127.0.0.1", 0))  # does not listen, and nobody else will
    at = l.getsockname()
    c = socket.socket()
    return errno.errorcode[c.connect_ex(at)], c.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), errno.errorcode[c.connect_ex(at)]


@habit
def toggled():
    c, a = pair()
    c.setblocking(False)
    try:
        c.recv(1)
    except BlockingIOError as e:
        first = errno.errorcode[e.errno]
    c.setblocking(True)
    threading.Timer(0.1, a.sendall, [b"late"]).start()
    return first, exactly(c, 4)


@habit
def connect_toggled():
    l = listener()
    c = socket.socket()
    c.setblocking(False)
    c.connect_ex(l.getsockname())
    c.setblocking(True)
    c.sendall(b"at once") if select.select([], [c], [], 20)[1] else None
    a, _ = l.accept()
    return exactly(a, 7)


@habit
def halves():
    c, a = pair()
    c.sendall(b"question")
    c.shutdown(socket.SHUT_WR)
    got = exactly(a, 100)
    a.sendall(b"answer")
    a.close()
    return got, exactly(c, 100)


@habit
def write_after_shutdown():
    c, _ = pair()
    c.shutdown(socket.SHUT_WR)
    c.sendall(b"x")


@habit
def read_after_shutdown():
    c, a = pair()
    c.shutdown(socket.SHUT_RD)
    got = c.recv(1)
    c.sendall(b"still")
    return got, exactly(a, 5)


@habit
def shutdown_ends_a_read():
    c, _ = pair()
    threading.Timer(0.2, lambda: c.shutdown(socket.SHUT_RDWR)).start()
    return c.recv(1)


@habit
def linger_resets():
    c, a = pair()
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    c.close()
    return a.recv(1)


@habit
def linger_waits():
    c, a = pair()
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 10))
    c.sendall(b"last words")
    c.close()
    return exactly(a, 100)


@habit
def unread_resets():
    c, a = pair()
    a.sendall(b"unread")
    readable(c)
    c.close()
    return a.recv(1)


@habit
def peer_gone():
    c, a = pair()
    a.close()
    got = c.recv(1)
    try:
        for _ in range(200):
            c.sendall(b"x" * 1000)
            time.sleep(0.01)
    except OSError as e:
        return got, errno.errorcode[e.errno]


def answered_early():
    c, a = pair()
    answer = b"too large " * 3000

    def serve():
        a.recv(1)
        a.sendall(answer)
        a.close()

    server = threading.Thread(target=serve)
    server.start()
    try:
        while True:
            c.sendall(b"x" * 50000)
    except (ConnectionResetError, BrokenPipeError):
        server.join()
    got = b""
    try:
        while block := c.recv(100000):
            got += block
    except ConnectionResetError:
        pass
    return got == answer


@habit
def answer_before_a_reset():
    return [answered_early() for _ in range(20)].count(True)


@habit
def peek():
    c, a = pair()
    a.sendall(b"peeked")
    readable(c)
    while len(c.recv(100, socket.MSG_PEEK)) < 6:
        pass
    n = array.array("i", [0])
    fcntl.ioctl(c, termios.FIONREAD, n)
    return c.recv(3, socket.MSG_PEEK), c.recv(100, socket.MSG_PEEK), n[0], c.recv(100)


@habit
def waitall_and_dontwait():
    c, a = pair()
    threading.Thread(target=lambda: [a.sendall(b"%d" % i) or time.sleep(0.05) for i in range(4)]).start()
    got = c.recv(4, socket.MSG_WAITALL)
    try:
        c.recv(1, socket.MSG_DONTWAIT)
    except BlockingIOError as e:
        return got, errno.errorcode[e.errno]


@habit
def out_of_band():
    c, a = pair()
    c.sendall(b"before")
    c.send(b"!", socket.MSG_OOB)
    c.sendall(b"after")
    urgent = bool(select.select([], [], [a], 1)[2])
    got = a.recv(1, socket.MSG_OOB)
    return urgent, got, exactly(a, 6), exactly(a, 5)


@habit
def out_of_band_in_line():
    c, a = pair()
    a.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
    c.sendall(b"before")
    c.send(b"!", socket.MSG_OOB)
    c.sendall(b"after")
    return exactly(a, 12)


@habit
def no_out_of_band():
    c, _ = pair()
    return c.recv(1, socket.MSG_OOB)


@habit
def sendfile():
    c, a = pair()
    with tempfile.TemporaryFile() as f:
        f.write(b"f" * 100000)
        f.flush()
        t = threading.Thread(target=lambda: os.sendfile(c.fileno(), f.fileno(), 0, 100000) and c.shutdown(socket.SHUT_WR))
        t.start()
        got = exactly(a, 200000)
        t.join()
    return len(got), set(got)


@habit
def splice():
    c, a = pair()
    r, w = os.pipe()
    os.write(w, b"through a pipe")
    sent = os.splice(r, c.fileno(), 100)
    readable(a)
    received = os.splice(a.fileno(), w, 100)
    return sent, received, os.read(r, 100)


@habit
def vectors():
    c, a = pair()
    sent = os.writev(c.fileno(), [b"one", b"two", b"three"]), c.sendmsg([b"four", b"five"])
    got = exactly(a, sum(sent))
    c.sendall(b"12345")
    readable(a)
    x, y = bytearray(2), bytearray(2)
    n = a.recvmsg_into([x, y])
    return sent, got, n[0], x, y


@habit
def options():
    kept = []
    l = listener()
    c = socket.socket()
    wanted = [
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1), (socket.SOL_SOCKET, socket.SO_REUSEADDR, 1), (socket.SOL_SOCKET, socket.SO_PRIORITY, 3),
        (socket.SOL_SOCKET, socket.SO_RCVLOWAT, 2), (socket.SOL_SOCKET, socket.SO_OOBINLINE, 1), (socket.IPPROTO_IP, socket.IP_TOS, 16), (socket.IPPROTO_IP, socket.IP_TTL, 33),
        (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1), (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 77), (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 7),
        (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 5), (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 5000), (socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0), (socket.IPPROTO_TCP, socket.TCP_LINGER2, 9),
    ]
    for level, name, value in wanted:
        c.setsockopt(level, name, value)
    c.connect(l.getsockname())
    for level, name, value in wanted:
        kept.append(c.getsockopt(level, name) == value)
    c.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
    kept.append(c.getsockopt(socket.IPPROTO_TCP, socket.TCP_CORK))
    what = [c.getsockopt(socket.SOL_SOCKET, o) for o in (socket.SO_TYPE, socket.SO_DOMAIN, socket.SO_PROTOCOL, socket.SO_ERROR, socket.SO_ACCEPTCONN)]
    return kept, what, l.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)


@habit
def buffers():
    c = socket.socket()
    c.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 20000)
    c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 30000)
    l = listener()
    c.connect(l.getsockname())
    return c.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF), c.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)


@habit
def timeouts():
    c, _ = pair()
    c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 50000))
    return c.recv(1)


@habit
def state():
    c, _ = pair()
    return c.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)


@habit
def unconnected():
    c = socket.socket()
    seen = []
    for call in c.getpeername, lambda: c.recv(1), lambda: c.send(b"x", socket.MSG_NOSIGNAL), lambda: c.shutdown(socket.SHUT_WR), c.accept:
        try:
            seen.append(call())
        except OSError as e:
            seen.append(errno.errorcode[e.errno])
    return seen


@habit
def descriptor_limit():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    l = listener()
    fill, failed = [], None
    resource.setrlimit(resource.RLIMIT_NOFILE, (40, hard))
    try:
        while True:
            fill.append(socket.create_connection(l.getsockname()))
    except OSError as e:
        failed = errno.errorcode[e.errno]
    count = len(fill)
    for s in fill:
        s.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return failed, count > 5, socket.create_connection(l.getsockname()).getpeername() == l.getsockname()


@habit
def signals_by_socket():
    c, a = pair()
    got = []
    signal.signal(signal.SIGIO, lambda *_: got.append("SIGIO"))
    fcntl.fcntl(c, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(c, fcntl.F_SETFL, fcntl.fcntl(c, fcntl.F_GETFL) | os.O_ASYNC)
    a.sendall(b"x")
    for _ in range(500):
        if got:
            break
        time.sleep(0.01)
    return got[:1]


@habit
def self_connected():
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    s.connect(s.getsockname())
    s.sendall(b"me")
    return exactly(s, 2), s.getpeername() == s.getsockname()


@habit
def after_fork():
    l = listener()
    pids = []
    for i in range(4):
        pid = os.fork()
        if pid == 0:
            c = socket.create_connection(l.getsockname())
            c.sendall(b"%d" % i)
            os._exit(0)
        pids.append(pid)
    got = sorted(exactly(l.accept()[0], 10) for _ in pids)
    return got, [os.waitpid(p, 0)[1] for p in pids]
