# Sixteen threads, each with connections of its own, timeouts and datagrams.
import concurrent.futures, http.client, socket, sys

host, http_port, echo, refused = sys.argv[1], *map(int, sys.argv[2:5])

def work(i):
    said = []
    for timeout in None, 20:
        c = http.client.HTTPConnection(host, http_port, timeout=timeout)
        for _ in range(3):
            c.request("GET", "/hello")
            r = c.getresponse()
            said.append((r.status, r.read()))
        said.append(c.sock.getpeername()[:2])
        c.close()
        try:
            socket.create_connection((host, refused), timeout=timeout)
        except ConnectionRefusedError as e:
            said.append(e.errno)
    to = socket.getaddrinfo(host, echo, socket.AF_INET, socket.SOCK_DGRAM)[0][4]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(20)
        s.sendto(b"from a thread", to)
        data, address = s.recvfrom(100)
        said.append((data, address == to))
    return tuple(said)

with concurrent.futures.ThreadPoolExecutor(16) as pool:
    for said in set(pool.map(work, range(16))):
        print(said)
