# HTTP by hand over asyncio's streams.
import asyncio

from wsgi_app import LARGE


async def serve(reader, writer):
    while head := await reader.readline():
        path, length = head.split()[1], 0
        while (line := await reader.readline()).strip():
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        body = await reader.readexactly(length)
        if path != b"/echo":
            body = LARGE if path == b"/large" else b"hello"
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
    writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print("serving on 127.0.0.1:%d" % server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


asyncio.run(main())
