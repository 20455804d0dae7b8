exec python3 -c '
import asyncio
async def serve(r, w):
    line = await r.readline()
    w.write(line.upper() + str(w.get_extra_info("sockname")[0]).encode())
    await w.drain()
    w.close()
async def ask(at):
    r, w = await asyncio.open_connection(*at)
    w.write(b"question\n")
    answer = await r.read()
    w.close()
    return answer
async def main():
    s = await asyncio.start_server(serve, "127.0.0.1", 0)
    at = s.sockets[0].getsockname()
    print(set(await asyncio.gather(*[ask(at) for _ in range(20)])))
    s.close()
asyncio.run(main())
'
