"""Makes fruitless calls as fast as it can, each asking for one byte more than the one before it.

    numbered.py FILE THREADS PROCESSES CALLS

Every thread counts its calls in 8 bytes of FILE. CALLS 0: until it is killed.
"""

import mmap
import os
import socket
import sys
import threading

file, threads, processes, calls = sys.argv[1], *map(int, sys.argv[2:5])
with open(file, "r+b") as opened:
    counters = memoryview(mmap.mmap(opened.fileno(), 0)).cast("Q")
room = mmap.mmap(-1, 1 << 26)  # never written to


def work(number):
    one, _other = socket.socketpair()
    one.setblocking(False)
    asked = 0
    while not calls or asked < calls:
        asked += 1
        try:
            one.recv_into(room, asked)
        except BlockingIOError:
            pass
        counters[number] = asked


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
