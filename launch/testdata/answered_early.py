# A client that goes on sending to a server which has answered and left: it still gets
# the whole answer.
import socket, sys

answers = []
for _ in range(20):
    c = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=20)
    try:
        while True:
            c.sendall(b"x" * 50000)
    except (ConnectionResetError, BrokenPipeError):
        pass
    got = b""
    try:
        while block := c.recv(100000):
            got += block
    except ConnectionResetError:
        pass
    answers.append(len(got))
    c.close()
print(answers)
