import asyncio
import hashlib
import json
import sys

from tornado.httpclient import AsyncHTTPClient


async def main(url):
    client = AsyncHTTPClient()
    answers = [
        await client.fetch(url + "/hello"),
        await client.fetch(url + "/echo", method="POST", body=b"x" * 10_000),
        *await asyncio.gather(*[client.fetch(url + "/large") for _ in range(3)]),
    ]
    print(json.dumps([[answer.code, hashlib.sha256(answer.body).hexdigest()] for answer in answers]))


asyncio.run(main(sys.argv[1]))
