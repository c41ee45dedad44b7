import asyncio
import hashlib
import json
import sys

import httpx

url = sys.argv[1]


async def later():
    async with httpx.AsyncClient() as client:
        answers = [await client.get(url + "/hello"), await client.post(url + "/echo", content=b"x" * 10_000)]
        return [*answers, *await asyncio.gather(*[client.get(url + "/large") for _ in range(3)])]


with httpx.Client() as client:
    answers = [client.get(url + "/hello"), client.post(url + "/echo", content=b"x" * 10_000), client.get(url + "/large")]
if sys.argv[2] == "async":
    answers = asyncio.run(later())
print(json.dumps([[answer.status_code, hashlib.sha256(answer.content).hexdigest()] for answer in answers]))
