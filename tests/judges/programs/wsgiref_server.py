from wsgiref.simple_server import make_server

from wsgi_app import app

with make_server("127.0.0.1", 0, app) as server:
    print("serving on 127.0.0.1:%d" % server.server_port, flush=True)
    server.serve_forever()
