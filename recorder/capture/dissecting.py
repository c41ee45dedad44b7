"""A packet field by field, as scapy reads it.

Owns the dissection: scapy is imported here only, when somebody asks. Frames are those of the trace, from the IP header on.
"""

from __future__ import annotations

import logging
import warnings
from typing import Any


def dissected(frame: bytes) -> str:
    """Return what a packet holds, layer by layer and field by field, a line each.

    Args:
        frame: from the IP header on, perhaps cut short. What is no IP is shown as bytes.

    Returns:
        Text of several lines; what came from the network is in it as scapy puts it: make it visible before showing it.
    """
    packet = _read(frame)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return str(packet.show(dump=True)).rstrip("\n")
    except Exception:  # any of scapy's dissectors may trip over what a stranger sent
        return str(_raw(frame).show(dump=True)).rstrip("\n")


def _read(frame: bytes) -> Any:
    layers = _layers()
    version = frame[0] >> 4 if frame else 0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if version == 4:
                return layers["IP"](frame)
            if version == 6:
                return layers["IPv6"](frame)
    except Exception:
        return _raw(frame)
    return _raw(frame)


def _raw(frame: bytes) -> Any:
    return _layers()["Raw"](frame)


def _layers() -> dict[str, Any]:
    logging.getLogger("scapy").setLevel(logging.CRITICAL)  # it warns of interfaces, which nobody asked about
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from scapy.layers.inet import IP
        from scapy.layers.inet6 import IPv6
        from scapy.packet import Raw
    return {"IP": IP, "IPv6": IPv6, "Raw": Raw}
