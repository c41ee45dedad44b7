import asyncio

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler
from wsgi_app import LARGE


class Hello(RequestHandler):
    def get(self):
        self.write(b"hello")


class Large(RequestHandler):
    def get(self):
        self.write(LARGE)


class Echo(RequestHandler):
    def post(self):
        self.write(self.request.body)


async def main():
    server = HTTPServer(Application([("/hello", Hello), ("/large", Large), ("/echo", Echo)]))
    sockets = bind_sockets(0, "127.0.0.1")
    server.add_sockets(sockets)
    print("serving on 127.0.0.1:%d" % sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
