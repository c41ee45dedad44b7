# tornado's own test case with its own client, in one process.
import json

from tornado.testing import AsyncHTTPTestCase
from tornado.web import Application, RequestHandler


class Echo(RequestHandler):
    def post(self):
        self.write(self.request.body)


said = []


class Case(AsyncHTTPTestCase):
    def get_app(self):
        return Application([("/echo", Echo)])

    def runTest(self):
        for size in (0, 1, 100_000):
            answer = self.fetch("/echo", method="POST", body=b"x" * size)
            said.append([answer.code, len(answer.body)])


result = Case("runTest").run()
print(json.dumps([said, result.wasSuccessful()]))
