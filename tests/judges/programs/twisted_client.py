import hashlib
import io
import json
import sys

from twisted.internet import defer, task
from twisted.web.client import Agent, FileBodyProducer, HTTPConnectionPool, readBody


@defer.inlineCallbacks
def main(reactor, url):
    pool = HTTPConnectionPool(reactor)
    agent = Agent(reactor, pool=pool)
    said = []
    for method, path, body in ((b"GET", "/hello", None), (b"POST", "/echo", b"x" * 10_000), (b"GET", "/large", None)):
        producer = FileBodyProducer(io.BytesIO(body)) if body else None
        answer = yield agent.request(method, (url + path).encode(), bodyProducer=producer)
        content = yield readBody(answer)
        said.append([answer.code, hashlib.sha256(content).hexdigest()])
    yield pool.closeCachedConnections()
    print(json.dumps(said))


task.react(main, (sys.argv[1],))
