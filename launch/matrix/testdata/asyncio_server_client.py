# Twelve streams, each half-closed when all is sent.
import socket, sys

at = sys.argv[1], int(sys.argv[2])
for size in 0, 1, 1000, 1 << 20:
    for _ in range(3):
        with socket.create_connection(at, timeout=60) as s:
            s.sendall(b"s" * size)
            s.shutdown(socket.SHUT_WR)
            f = s.makefile("rb")
            print(f.readline(), len(f.read()))
