# Forty streams at once, a refused connect, and datagrams.
import asyncio, sys

host, http, echo, refused = sys.argv[1], *map(int, sys.argv[2:5])

async def fetch():
    r, w = await asyncio.open_connection(host, http)
    peer = w.get_extra_info("peername")[:2]
    w.write(b"GET /hello HTTP/1.0\r\n\r\n")
    w.write_eof()
    answer = await r.read()
    w.close()
    return peer, answer.splitlines()[-1]

class Echo(asyncio.DatagramProtocol):
    def __init__(self):
        self.got, self.enough = [], asyncio.Event()
    def datagram_received(self, data, address):
        self.got.append((len(data), address[:2]))
        if len(self.got) == 3:
            self.enough.set()

async def main():
    print(set(await asyncio.gather(*[fetch() for _ in range(40)])))
    try:
        await asyncio.open_connection(host, refused)
    except OSError as e: # of several kinds, where a name has several addresses
        print("refused" if "Connect call failed" in str(e) else e)
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(Echo, remote_addr=(host, echo))
    for size in 1, 512, 1400:
        transport.sendto(b"d" * size)
    await asyncio.wait_for(protocol.enough.wait(), 20)
    print(sorted(protocol.got))
    transport.close()

asyncio.run(main())
