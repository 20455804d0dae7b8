# crowd.py PROCESSES: that many processes with servers, clients and datagrams at
# once, several times. They close what they have made, say so, and stay until
# their input ends.
import os, socket, sys


def rounds():
    for _ in range(5):
        l = socket.create_server(("127.0.0.1", 0), backlog=16)
        clients = [socket.create_connection(l.getsockname()) for _ in range(4)]
        servers = [l.accept()[0] for _ in clients]
        for c, a in zip(clients, servers):
            c.sendall(b"stream")
            a.sendall(a.recv(100).upper())
        u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        u.bind(("127.0.0.1", 0))
        v = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        v.connect(u.getsockname())
        v.send(b"datagram")
        u.settimeout(30)
        assert u.recvfrom(100) == (b"datagram", v.getsockname())
        refused = socket.socket()
        at = ("127.0.0.1", 1)
        refused.connect_ex(at)
        for c in clients:
            got = b""
            while len(got) < 6:
                got += c.recv(100)
            assert got == b"STREAM", got
        for s in [l, u, v, refused, *clients, *servers]:
            s.close()


r, w = os.pipe()
for _ in range(int(sys.argv[1])):
    if os.fork() == 0:
        os.close(r)
        try:
            rounds()
            os.write(w, b".")
        except BaseException as e:
            print(e, flush=True)
            os.write(w, b"!")
        sys.stdin.read()
        os._exit(0)
os.close(w)
said = b""
while len(said) < int(sys.argv[1]):
    said += os.read(r, 100)
print("closed" if b"!" not in said else "failed", flush=True)
sys.stdin.read()
