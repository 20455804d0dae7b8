# Sends back what it gets, after the addresses that it sees.
import asyncio, sys

async def serve(r, w):
    data = await r.read()
    w.write(("%s %s %d\n" % (w.get_extra_info("sockname")[0], w.get_extra_info("peername")[0], len(data))).encode() + data)
    await w.drain()
    w.close()

async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()

asyncio.run(main())
