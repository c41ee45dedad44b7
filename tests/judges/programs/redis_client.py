import asyncio
import json
import sys
from urllib.parse import urlsplit

import redis
import redis.asyncio

where = urlsplit(sys.argv[1])


def at_once():
    with redis.Redis(where.hostname, where.port) as client:
        said = [client.set("key", b"v" * 50_000), len(client.get("key")), client.incr("n"), client.get("nothing")]
        with client.pipeline() as pipe:
            for n in range(100):
                pipe.rpush("list", n)
            said.append(len(pipe.execute()))
        with client.pubsub() as channel:
            channel.subscribe("news")
            said.append(channel.get_message(timeout=10)["type"])
            client.publish("news", "extra")
            said.append(channel.get_message(timeout=10)["data"].decode())
        try:
            client.execute_command("NOSUCH")
        except redis.ResponseError as error:
            said.append(str(error).split(",")[0])
        client.flushall()
    return said


async def later():
    async with redis.asyncio.Redis(host=where.hostname, port=where.port) as client:
        await asyncio.gather(*[client.set("key %d" % n, n) for n in range(20)])
        said = [int(value) for value in await client.mget(["key %d" % n for n in range(20)])]
        await client.flushall()
    return said


print(json.dumps(asyncio.run(later()) if sys.argv[2] == "async" else at_once()))
