# The handler of the HTTP servers here; quiet, since nobody reads what it would say.
from http.server import BaseHTTPRequestHandler

from wsgi_app import LARGE


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer(LARGE if self.path == "/large" else b"hello")

    def do_POST(self):
        self.answer(self.rfile.read(int(self.headers["Content-Length"])))

    def log_message(self, *words):
        pass
