"""A little of liburing, over raw system calls: two rings in memory that a program shares with the kernel.

A program writes what it wants done (submission queue entries, SQE) into the one, and finds what was
done (completion queue entries, CQE) in the other. Functions are named as in liburing, whose manual
pages describe them; the layouts are those of linux/io_uring.h. See io_uring(7).

Run as a program it tries whether this kernel lets us: `python ring.py`.
"""
import ctypes
import mmap
import os
import struct
import sys

_libc = ctypes.CDLL(None, use_errno=True)
# Numbers of system calls; the same on every architecture but alpha.
_IO_URING_SETUP, _IO_URING_ENTER = 425, 426
_GETEVENTS = 1
_OFF_SQES = 0x10000000
_FEAT_SINGLE_MMAP = 1
_OP_ACCEPT, _OP_SEND, _OP_RECV = 13, 26, 27
_SQE_BYTES, _CQE_BYTES = 64, 16
# struct io_uring_params: 10 numbers, then where the parts of either ring lie (8 numbers and an address each).
_PARAMS = struct.Struct("10I 8IQ 8IQ")


def _syscall(number, *arguments):
    """Make a system call; OSError where it fails."""
    result = _libc.syscall(number, *(ctypes.c_long(each) if isinstance(each, int) else each for each in arguments))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


class io_uring:
    """The two rings, once `io_uring_queue_init` has made them."""

    fd = -1


class io_uring_sqe:
    """One request: `prep_*` fills it in, `user_data` comes back with its completion."""

    def __init__(self):
        self.opcode = self.fd = self.address = self.len = self.op_flags = self.user_data = 0
        self.buffer = None  # keeps the memory that the kernel works on

    def packed(self):
        """Return it as the kernel reads it: opcode, flags, ioprio, fd, offset, address, length, flags, user data."""
        head = struct.pack("BBHiQQIIQ", self.opcode, 0, 0, self.fd, 0, self.address, self.len, self.op_flags, self.user_data)
        return head.ljust(_SQE_BYTES, b"\0")


class io_uring_cqe:
    """One completion: `res` is what the call would have returned, or -errno."""

    user_data = res = flags = 0


def io_uring_queue_init(entries, ring, flags=0):
    """Make the rings, with room for so many requests that are not submitted yet."""
    params = ctypes.create_string_buffer(_PARAMS.pack(0, 0, flags, *[0] * 25), _PARAMS.size)
    ring.fd = _syscall(_IO_URING_SETUP, entries, params)
    (ring.sq_entries, ring.cq_entries, _, _, _, features, _, _, _, _,
     ring.sq_head, ring.sq_tail, sq_mask, _, _, _, ring.sq_array, _, _,
     ring.cq_head, ring.cq_tail, cq_mask, _, _, ring.cqes, _, _, _) = _PARAMS.unpack(params.raw)
    if not features & _FEAT_SINGLE_MMAP:
        raise OSError(38, "io_uring of this kernel is older than Linux 5.4")
    size = max(ring.sq_array + 4 * ring.sq_entries, ring.cqes + _CQE_BYTES * ring.cq_entries)
    ring.memory = mmap.mmap(ring.fd, size)  # both rings: their heads, tails and completions
    ring.sqes = mmap.mmap(ring.fd, _SQE_BYTES * ring.sq_entries, offset=_OFF_SQES)
    ring.sq_mask, ring.cq_mask = (_number(ring, where).value for where in (sq_mask, cq_mask))
    ring.sq_head, ring.sq_tail, ring.cq_head, ring.cq_tail = (
        _number(ring, where) for where in (ring.sq_head, ring.sq_tail, ring.cq_head, ring.cq_tail))
    ring.waiting = []  # requests that are not submitted yet
    ring.lent = {}  # buffers that the kernel still works on, by user data
    return 0


def _number(ring, where):
    """Return a 32-bit number of the shared memory: reading and writing its `value` is reading and writing there."""
    return ctypes.c_uint32.from_buffer(ring.memory, where)


def io_uring_get_sqe(ring):
    """Return an empty request; what is filled in goes to the kernel with the next submit."""
    sqe = io_uring_sqe()
    ring.waiting.append(sqe)
    return sqe


def io_uring_prep_accept(sqe, fd):
    """Ask for the next connection: its completion is the new descriptor."""
    sqe.opcode, sqe.fd = _OP_ACCEPT, fd


def io_uring_prep_recv(sqe, sockfd, buf, len, flags=0):
    """Ask for data to be copied into a buffer: its completion is the number of bytes."""
    _prep_copy(sqe, _OP_RECV, sockfd, buf, len, flags)


def io_uring_prep_send(sqe, sockfd, buf, len, flags=0):
    """Ask for data to be copied out of a buffer: its completion is the number of bytes."""
    _prep_copy(sqe, _OP_SEND, sockfd, buf, len, flags)


def _prep_copy(sqe, opcode, sockfd, buf, size, flags):
    sqe.buffer = (ctypes.c_char * size).from_buffer(buf)  # while this lives, the buffer can neither move nor shrink
    sqe.opcode, sqe.fd, sqe.address, sqe.len, sqe.op_flags = opcode, sockfd, ctypes.addressof(sqe.buffer), size, flags


def io_uring_submit(ring):
    """Hand all requests to the kernel; it works on them while we go on."""
    return io_uring_submit_and_wait(ring, 0)


def io_uring_submit_and_wait(ring, wait_nr):
    """Hand all requests to the kernel and wait until so many are completed; return how many were handed over."""
    submitted = 0
    while True:
        tail = ring.sq_tail.value
        batch = ring.waiting[:ring.sq_entries - (tail - ring.sq_head.value)]
        for sqe in batch:
            slot = tail & ring.sq_mask
            ring.sqes[slot * _SQE_BYTES:(slot + 1) * _SQE_BYTES] = sqe.packed()
            _number(ring, ring.sq_array + 4 * slot).value = slot
            ring.lent[sqe.user_data] = sqe.buffer
            tail = (tail + 1) & 0xFFFFFFFF
        del ring.waiting[:len(batch)]
        ring.sq_tail.value = tail  # written last: from now on the kernel may read the requests
        pending = (tail - ring.sq_head.value) & 0xFFFFFFFF
        wait = 0 if ring.waiting else wait_nr
        try:
            submitted += _syscall(_IO_URING_ENTER, ring.fd, pending, wait, _GETEVENTS, None, 0)
        except InterruptedError:
            continue  # a signal came: its handler has run, and we wait on
        if not ring.waiting:
            return submitted


def io_uring_peek_cqe(ring, cqe):
    """Take the next completion into `cqe`; return 0, or -EAGAIN where there is none. `io_uring_cqe_seen` gives its place back."""
    head = ring.cq_head.value
    if head == ring.cq_tail.value:
        return -11
    cqe.user_data, cqe.res, cqe.flags = struct.unpack_from("QiI", ring.memory, ring.cqes + _CQE_BYTES * (head & ring.cq_mask))
    return 0


def io_uring_wait_cqe(ring, cqe):
    """Wait for the next completion and take it."""
    while io_uring_peek_cqe(ring, cqe):
        io_uring_submit_and_wait(ring, 1)
    return 0


def io_uring_cqe_seen(ring, cqe):
    """Give the place of a completion back, and its buffer to the program."""
    ring.lent.pop(cqe.user_data, None)
    ring.cq_head.value = (ring.cq_head.value + 1) & 0xFFFFFFFF


def io_uring_queue_exit(ring):
    """Give the rings up: the kernel cancels what it still works on."""
    os.close(ring.fd)
    ring.fd = -1


if __name__ == "__main__":
    try:
        io_uring_queue_init(2, io_uring())
    except OSError as error:
        sys.exit("no io_uring here: " + str(error.strerror))
