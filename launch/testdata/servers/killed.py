# What is left of servers that are killed in the midst of a call: nothing. Nobody
# connects to them any more, and their addresses are free. The argument is a port
# that nobody else gets.
import os, signal, socket, sys

def serve(kind, at, work):
    s = socket.socket(socket.AF_INET, kind); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, kind == socket.SOCK_STREAM)
    s.bind(at)
    if kind == socket.SOCK_STREAM: s.listen(8)
    pid = os.fork()
    if pid == 0:
        while True: work(s)
    s.close()
    return pid

def accept(s):
    c, _ = s.accept(); c.sendall(b"x"); c.close()

def answer(s):
    s.sendto(*s.recvfrom(100))

at, refused = ("127.0.0.1", int(sys.argv[1])), 0
for _ in range(60):
    pid = serve(socket.SOCK_STREAM, at, accept)
    c = socket.create_connection(at, 20)
    while c.recv(1): pass
    c.close()
    os.kill(pid, signal.SIGKILL); os.waitpid(pid, 0)
    try: socket.create_connection(at, 20)
    except ConnectionRefusedError: refused += 1
print("refused", refused)

answered = 0
for _ in range(60):
    pid = serve(socket.SOCK_DGRAM, at, answer)
    c = socket.socket(type=socket.SOCK_DGRAM); c.settimeout(20); c.sendto(b"y", at)
    answered += c.recvfrom(100) == (b"y", at); c.close()
    os.kill(pid, signal.SIGKILL); os.waitpid(pid, 0)
print("answered", answered)
