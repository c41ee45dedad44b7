import asyncio

from aiohttp import web
from wsgi_app import LARGE


async def hello(request):
    return web.Response(body=b"hello")


async def large(request):
    return web.Response(body=LARGE)


async def echo(request):
    return web.Response(body=await request.read())


async def main():
    app = web.Application()
    app.add_routes([web.get("/hello", hello), web.get("/large", large), web.post("/echo", echo)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print("serving on 127.0.0.1:%d" % runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
