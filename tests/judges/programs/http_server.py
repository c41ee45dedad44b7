import sys
from http.server import HTTPServer, ThreadingHTTPServer

from http_server_handler import Handler

kind = ThreadingHTTPServer if sys.argv[1] == "threads" else HTTPServer
with kind(("127.0.0.1", 0), Handler) as server:
    print("serving on 127.0.0.1:%d" % server.server_port, flush=True)
    server.serve_forever()
