"""An upper-casing server on asyncio: reads as if every call waited; one thread waits in epoll."""
import asyncio
import signal
import sys

host = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1"
port = int(sys.argv[2]) if len(sys.argv) > 2 else 8000


async def serve(reader, writer):
    """Serve one client till it leaves; at every `await` the others may go on."""
    try:
        while True:
            data = await reader.read(65536)  # looks blocking; the loop waits for all at once
            if not data:
                break  # an empty read: this client has left
            writer.write(data.upper())  # sent at once, as far as the kernel takes it
            await writer.drain()  # lets the others go on while too much is unsent
    except (ConnectionResetError, BrokenPipeError, asyncio.CancelledError):
        pass  # this client has vanished, or the server is to end
    finally:
        writer.close()


async def main():
    """Listen, and let the loop run till Ctrl-C."""
    server = await asyncio.start_server(serve, host, port, backlog=1024)
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, over.set)
    print("listening on", *server.sockets[0].getsockname()[:2], flush=True)
    await over.wait()  # meanwhile the loop runs `serve` for every client
    server.close()


asyncio.run(main())
