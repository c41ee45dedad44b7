from twisted.internet import reactor
from twisted.web.resource import Resource
from twisted.web.server import Site
from wsgi_app import LARGE


class Page(Resource):
    isLeaf = True

    def render_GET(self, request):
        return LARGE if request.path == b"/large" else b"hello"

    def render_POST(self, request):
        return request.content.read()


port = reactor.listenTCP(0, Site(Page()), interface="127.0.0.1")
print("serving on 127.0.0.1:%d" % port.getHost().port, flush=True)
reactor.run()
