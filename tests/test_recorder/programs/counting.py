"""Makes socket calls as fast as it can and counts those that returned in a file mapped by whoever watches.

    counting.py FILE THREADS PROCESSES PAYLOAD_BYTES CALLS [CALLS_PER_SECOND]

Every thread owns one 8-byte counter of FILE. CALLS 0: until it is killed. Told a rate, it makes no more than that.
"""

import mmap
import os
import socket
import sys
import threading
import time

file, threads, processes, size, calls = sys.argv[1], *map(int, sys.argv[2:6])
spacing_ns = 10**9 // int(sys.argv[6]) if len(sys.argv) > 6 else 0
with open(file, "r+b") as opened:
    counters = memoryview(mmap.mmap(opened.fileno(), 0)).cast("Q")


def work(number):
    one, other = socket.socketpair()
    one.setblocking(False)
    counters[number] += 1
    data = b"p" * size
    start_ns = time.monotonic_ns()
    while not calls or counters[number] < calls:
        try:
            one.recv(10)
        except BlockingIOError:
            pass
        counters[number] += 1
        if size:
            one.send(data)
            counters[number] += 1
            other.recv(size)
            counters[number] += 1
        while spacing_ns and time.monotonic_ns() < start_ns + counters[number] * spacing_ns:
            pass


def work_in_all_threads(first):
    others = [threading.Thread(target=work, args=(first + n,)) for n in range(1, threads)]
    for thread in others:
        thread.start()
    work(first)
    for thread in others:
        thread.join()


print(os.getpid(), flush=True)
children = []
for process in range(1, processes):
    pid = os.fork()
    if not pid:
        work_in_all_threads(process * threads)
        os._exit(0)
    children.append(pid)
work_in_all_threads(0)
for pid in children:
    os.waitpid(pid, 0)
