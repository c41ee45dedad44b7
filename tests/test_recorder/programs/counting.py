"""Makes socket calls as fast as it can and counts those that returned in a file mapped by whoever watches.

    counting.py FILE THREADS PROCESSES PAYLOAD_BYTES CALLS

Every thread owns one 8-byte counter of FILE. CALLS 0: until it is killed.
"""

import mmap
import os
import socket
import sys
import threading

file, threads, processes, size, calls = sys.argv[1], *map(int, sys.argv[2:])
with open(file, "r+b") as opened:
    counters = memoryview(mmap.mmap(opened.fileno(), 0)).cast("Q")


def work(number):
    one, other = socket.socketpair()
    one.setblocking(False)
    counters[number] += 1
    data = b"p" * size
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
