# The application that every WSGI server here serves.
LARGE = b"0123456789" * 30_000


def app(environ, start_response):
    if environ["PATH_INFO"] == "/echo":
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    else:
        body = LARGE if environ["PATH_INFO"] == "/large" else b"hello"
    start_response("200 OK", [("Content-Type", "application/octet-stream"), ("Content-Length", str(len(body)))])
    return [body]
