"""orphan HOST ECHO SILENT OUTPUT CALL...: kills the process that serves it while it
waits in these calls, and writes to OUTPUT how each ended, and later ones: NAME
RESULT SECONDS.

ECHO is the port of a server that echoes, SILENT one where a connect never ends.
"""
import errno
import os
import select
import signal
import socket
import sys
import threading
import time

HOST, OUTPUT = sys.argv[1], sys.argv[4]
ECHO, SILENT = int(sys.argv[2]), int(sys.argv[3])
FAMILY = socket.AF_INET6 if ":" in HOST else socket.AF_INET
PATIENCE = 20

outcomes, killed = {}, []


def begin(name, call):
    def run():
        try:
            outcome = repr(call())
        except OSError as e:
            outcome = errno.errorcode.get(e.errno, str(e))
        except Exception as e:
            outcome = repr(e)
        outcomes[name] = (outcome.replace(" ", ""), time.monotonic() - killed[0] if killed else -1)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return name, thread


def finish(begun):
    end = time.monotonic() + PATIENCE
    for name, thread in begun:
        thread.join(max(0, end - time.monotonic()))
        outcomes.setdefault(name, ("hangs", PATIENCE))


def connected():
    s = socket.socket(FAMILY, socket.SOCK_STREAM)
    s.connect((HOST, ECHO))
    s.sendall(b"hello")
    assert s.recv(5) == b"hello"
    return s


def receive(s):
    return lambda: s.recv(1)


def polled(s):
    def poll():
        p = select.poll()
        p.register(s, select.POLLOUT)
        if not p.poll(PATIENCE * 1000):
            return "hangs"
        raise OSError(s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), "poll")

    return poll


def connect(port):
    def run():
        s = socket.socket(FAMILY, socket.SOCK_STREAM)
        s.settimeout(None)
        s.connect((HOST, port))
        return "connected"

    return run


def accept(s):
    return lambda: s.accept()[0]


idle, full = connected(), connected()
held = socket.socket(FAMILY, socket.SOCK_STREAM)
held.setblocking(False)
if "poll" in sys.argv[5:]:
    assert held.connect_ex((HOST, SILENT)) == errno.EINPROGRESS
server = socket.socket(FAMILY, socket.SOCK_STREAM)
server.bind(("127.0.0.1" if FAMILY == socket.AF_INET else "::1", 0))
server.listen()
datagrams = socket.socket(FAMILY, socket.SOCK_DGRAM)
datagrams.connect((HOST, ECHO))
ours, theirs = socket.socketpair()


def fill():
    while True:
        full.send(b"x" * 65536)


calls = {
    "receive": receive(idle),
    "send": fill,
    "poll": polled(held),
    "connect": connect(SILENT),
    "accept": accept(server),
}
waiting = [begin(name, calls[name]) for name in sys.argv[5:]]
time.sleep(0.5)  # until they wait; one that does not yet fails as well
killed.append(time.monotonic())
os.kill(os.getppid(), signal.SIGKILL)
finish(waiting)
killed[0] = time.monotonic()
finish([
    begin("later connect", connect(ECHO)),
    begin("later datagram", lambda: datagrams.send(b"x") and datagrams.settimeout(5) or datagrams.recv(1)),
    begin("own pair", lambda: (ours.sendall(b"x"), theirs.recv(1))[1]),
])
with open(OUTPUT + ".part", "w") as f:
    for name, (outcome, seconds) in outcomes.items():
        print(name.replace(" ", "-"), outcome, "%.3f" % seconds, file=f)
os.rename(OUTPUT + ".part", OUTPUT)
