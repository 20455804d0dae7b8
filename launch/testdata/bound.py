# Sockets that are bound before they connect: each line must be the same with
# upcall as without.
import socket

servers = {t: socket.create_server((t, 0), family=f) for t, f in (("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6))}
servers["::ffff:127.0.0.1"] = servers["127.0.0.1"]


def tell(target, family, only6, timeout, address):
    s = socket.socket(family)
    s.settimeout(timeout)
    if family == socket.AF_INET6:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only6)
    try:
        if address is not None:
            s.bind((address, 0))
        mine = s.getsockname()[1]
        s.connect((target, servers[target].getsockname()[1]))
        c, peer = servers[target].accept()
        return s.getsockname()[0], s.getsockname()[1] == mine, s.getpeername()[0], peer[0], peer[1] == s.getsockname()[1]
    except OSError as e:
        return e


for timeout in None, 10:
    for address in None, "0.0.0.0", "127.0.0.1", "127.0.0.2":
        print(timeout, address, tell("127.0.0.1", socket.AF_INET, 0, timeout, address))
    for only6 in 0, 1:
        for address in None, "::", "::1", "::ffff:127.0.0.1":
            for target in "::1", "::ffff:127.0.0.1":
                print(timeout, only6, address, target, tell(target, socket.AF_INET6, only6, timeout, address))
