import asyncio
import hashlib
import json
import sys

import aiohttp


async def main(url):
    said = []
    async with aiohttp.ClientSession() as session:
        for ask in (session.get(url + "/hello"), session.post(url + "/echo", data=b"x" * 10_000), session.get(url + "/large")):
            async with ask as answer:
                said.append([answer.status, hashlib.sha256(await answer.read()).hexdigest()])
    print(json.dumps(said))


asyncio.run(main(sys.argv[1]))
