from werkzeug.serving import make_server
from wsgi_app import app

server = make_server("127.0.0.1", 0, app, threaded=True)
print("serving on 127.0.0.1:%d" % server.server_port, flush=True)
server.serve_forever()
