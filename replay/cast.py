"""Who takes part in a run, by the names people give them: the listener, client anna, fd 7.

Owns how a socket is called in a sentence. Reads rows of sockets through a reader, tells nothing of calls.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .language import Language
from .reading import Reader
from .values import Exchange
from .words import brief


@dataclass(frozen=True)
class Cast:
    """The sockets of a run and whose they are.

    Args:
        sockets: id -> its name in a sentence.
        short: id -> its name where there is little room.
        exchanges: what clients asked and got; none where no workload and no request was seen.
        threads: id -> name.
        local: id of a socket -> its own address, where that is known.
    """

    sockets: Mapping[int, str]
    short: Mapping[int, str]
    exchanges: tuple[Exchange, ...]
    threads: Mapping[int, str]
    language: Language
    local: Mapping[int, str] = field(default_factory=dict)

    def where(self, socket_id: int | None) -> str:
        """Return a socket's name in a sentence."""
        return self.sockets.get(socket_id or 0) or self.language.say("socket {id}", id=socket_id)


def load_cast(reader: Reader, language: Language) -> Cast:
    """Return who takes part in a run.

    Raises:
        TraceError: the trace cannot be read.
    """
    exchanges, _ = reader.exchanges(requests=False)
    clients = {exchange.socket_id: brief(exchange.client, 24) for exchange in exchanges if exchange.socket_id is not None}
    listeners = sum(row["role"] == "listener" for row in reader.sockets.values())
    return Cast(
        {id_: _name(row, clients.get(id_), listeners > 1, language) for id_, row in reader.sockets.items()},
        {id_: _short(row, clients.get(id_), language) for id_, row in reader.sockets.items()},
        exchanges, {id_: brief(thread.name, 24) for id_, thread in reader.threads.items()}, language,
        {id_: row["local"] for id_, row in reader.sockets.items() if row["local"]})


def _name(row: Any, client: str | None, several: bool, language: Language) -> str:
    if client is not None:
        return language.say("client {name}", name=client)
    role, peer, fd = row["role"], row["peer"], "?" if row["fd"] is None else row["fd"]
    if role == "listener" and several and row["local"]:
        return language.say("the listener on {address}", address=brief(row["local"]))
    if role == "listener":
        return language.say("the listener")
    if role == "accepted" and peer:
        return language.say("the connection from {peer}", peer=brief(peer))
    if role == "connected" and peer:
        return language.say("the connection to {peer}", peer=brief(peer))
    return language.say("epoll (fd {fd})", fd=fd) if row["kind"] == "epoll" else language.say("fd {fd}", fd=fd)


def _short(row: Any, client: str | None, language: Language) -> str:
    role = row["role"]
    what = client or (language.say("listener") if role == "listener" else brief(row["peer"] or role or row["kind"] or "", 21))
    return f"fd {'?' if row['fd'] is None else row['fd']} {what}".rstrip()
