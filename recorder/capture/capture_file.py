"""Reads capture files that others wrote: pcap and pcapng, of either byte order, in micro- or nanoseconds.

Owns those layouts for reading. The file is hostile until it is read: no block may be larger than 16 MB, one that makes no
sense ends the reading with a sentence that says where, and memory does not grow with the file. Sources:
draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ...errors import SockreelError
from .frames import Frame
from .pcapng import BYTE_ORDER, INTERFACE, PACKET, SECTION

_MOST_BYTES = 16 << 20
_MOST_INTERFACES = 65_536
_OLD_PACKET, _SIMPLE_PACKET = 2, 3
_RESOLUTION, _OFFSET = 9, 14
_NS = 1_000_000_000
_PCAP = {b"\xd4\xc3\xb2\xa1": ("<", 1000), b"\xa1\xb2\xc3\xd4": (">", 1000), b"\x4d\x3c\xb2\xa1": ("<", 1), b"\xa1\xb2\x3c\x4d": (">", 1)}
_PCAPNG = SECTION.to_bytes(4, "big")  # the same in both orders
_PACKED = {b"\x1f\x8b": "gunzip", b"\x28\xb5\x2f\xfd": "unzstd", b"\xfd7zXZ": "unxz", b"BZh": "bunzip2", b"\x04\x22\x4d\x18": "unlz4"}


class CaptureFileError(SockreelError):
    """A file that is no capture: one line, with what to do."""


@dataclass(frozen=True)
class _Interface:
    """What a pcapng says of one: link type, units of time in a second, seconds to add."""

    link: int
    units: int = 1_000_000
    offset_s: int = 0


class CaptureFile:
    """A capture file, opened for reading once.

    Args:
        path: of the file.

    Raises:
        CaptureFileError: it cannot be read, or is none.

    `complaint`: once `frames` is through, why the rest of the file was left out; None: there was no such rest. `timeless`:
    packets that have no time.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.complaint: str | None = None
        self.timeless = 0
        try:
            with path.open("rb") as file:
                self._magic = file.read(8)
        except OSError as error:
            raise CaptureFileError(f"cannot read {path}: {error.strerror}") from error
        if not self._magic:
            raise CaptureFileError(f"{path} is empty: not a capture")
        for start, tool in _PACKED.items():
            if self._magic.startswith(start):
                raise CaptureFileError(f"{path} is compressed: {tool} it first")
        if self._magic[:4] not in _PCAP and self._magic[:4] != _PCAPNG:
            raise CaptureFileError(f"{path} is no capture: neither pcap nor pcapng")

    def frames(self) -> Iterator[Frame]:
        """Yield the frames, up to the end or to where the file makes no sense.

        Raises:
            CaptureFileError: it cannot be read further.
        """
        try:
            with self.path.open("rb") as file:
                yield from self._pcapng(file) if self._magic[:4] == _PCAPNG else self._pcap(file)
        except OSError as error:
            raise CaptureFileError(f"cannot read {self.path}: {error.strerror}") from error

    def _read(self, file: BinaryIO, size: int) -> bytes | None:
        """Read so many bytes; None where the file ends, with a complaint if it does so in the middle."""
        found = file.read(size)
        if len(found) == size:
            return found
        if found or size > 8:
            self.complaint = f"{self.path} is cut short: it ends in the middle of a packet"
        return None

    def _nonsense(self, file: BinaryIO, what: str) -> None:
        self.complaint = f"{self.path} makes no sense near byte {file.tell():,} ({what}): the rest of it is left out"

    # pcap

    def _pcap(self, file: BinaryIO) -> Iterator[Frame]:
        order, unit_ns = _PCAP[self._magic[:4]]
        head = self._read(file, 24)
        if head is None:
            return
        link = struct.unpack(f"{order}I", head[20:24])[0] & 0xFFFF
        record = struct.Struct(f"{order}IIII")
        while True:
            head = file.read(16)
            if len(head) < 16:
                if head:
                    self.complaint = f"{self.path} is cut short: it ends in the middle of a packet"
                return
            seconds, fraction, kept, length = record.unpack(head)
            if kept > _MOST_BYTES:
                self._nonsense(file, f"a packet of {kept:,} bytes")
                return
            data = file.read(kept)
            if len(data) < kept:
                self.complaint = f"{self.path} is cut short: it ends in the middle of a packet"
                return
            yield Frame(seconds * _NS + fraction * unit_ns, link, data, max(length, kept))

    # pcapng

    def _pcapng(self, file: BinaryIO) -> Iterator[Frame]:
        order = "<"
        interfaces: list[_Interface] = []
        while (head := self._read(file, 8)) is not None:
            if head[:4] == _PCAPNG:
                magic = self._read(file, 4)
                if magic is None:
                    self.complaint = f"{self.path} is cut short: it ends in the middle of a packet"
                    return
                order = "<" if int.from_bytes(magic, "little") == BYTE_ORDER else ">"
                interfaces = []
                if int.from_bytes(magic, "big" if order == ">" else "little") != BYTE_ORDER:
                    self._nonsense(file, "a section of no byte order")
                    return
                file.seek(-4, 1)
            kind, length = struct.unpack(f"{order}II", head)
            if length < 12 or length % 4 or length > _MOST_BYTES:
                self._nonsense(file, f"a block of {length:,} bytes")
                return
            body = self._read(file, length - 8)
            if body is None:
                self.complaint = f"{self.path} is cut short: it ends in the middle of a packet"
                return
            if body[-4:] != head[4:]:
                self._nonsense(file, "a block that has two lengths")
                return
            if kind == INTERFACE and len(interfaces) < _MOST_INTERFACES:
                interfaces.append(_interface(order, body[:-4]))
            frame = self._packet(order, kind, body[:-4], interfaces)
            if frame is not None:
                yield frame

    def _packet(self, order: str, kind: int, body: bytes, interfaces: list[_Interface]) -> Frame | None:
        if kind == _SIMPLE_PACKET:
            self.timeless += 1
            return None
        if kind not in (PACKET, _OLD_PACKET) or len(body) < 20:
            return None
        number, high, low, kept, length = struct.unpack_from(f"{order}IIIII" if kind == PACKET else f"{order}HxxIIII", body)
        if number >= len(interfaces):
            self.timeless += 1  # nobody knows in which units
            return None
        interface = interfaces[number]
        realtime_ns = (high << 32 | low) * _NS // interface.units + interface.offset_s * _NS
        data = body[20 : 20 + kept]
        return Frame(realtime_ns, interface.link, data, max(length, len(data)))


def _interface(order: str, body: bytes) -> _Interface:
    if len(body) < 8:
        return _Interface(-1)
    (link,) = struct.unpack_from(f"{order}H", body)
    units, offset_s = 1_000_000, 0
    for code, value in _options(order, body[8:]):
        if code == _RESOLUTION and value:
            units = 2 ** (value[0] & 0x7F) if value[0] & 0x80 else 10 ** value[0]
        elif code == _OFFSET and len(value) == 8:
            (offset_s,) = struct.unpack(f"{order}q", value)
    return _Interface(link, units, offset_s)


def _options(order: str, options: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 4 <= len(options):
        code, size = struct.unpack_from(f"{order}HH", options, at)
        if not code:
            return
        yield code, options[at + 4 : at + 4 + size]
        at += 4 + size + -size % 4
