# aiohttp's own test client and server, in one process.
import asyncio
import json

from aiohttp import WSMsgType, web
from aiohttp.test_utils import TestClient, TestServer


async def echo(request):
    return web.Response(body=await request.read())


async def talk(request):
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    async for message in socket:
        await socket.send_str(message.data.upper())
    return socket


async def main():
    app = web.Application()
    app.add_routes([web.post("/echo", echo), web.get("/talk", talk)])
    async with TestClient(TestServer(app)) as client:
        said = [len(await (await client.post("/echo", data=b"x" * size)).read()) for size in (0, 1, 100_000)]
        async with client.ws_connect("/talk") as socket:
            await socket.send_str("shout")
            message = await socket.receive()
            said += [message.type == WSMsgType.TEXT, message.data]
    print(json.dumps(said))


asyncio.run(main())
