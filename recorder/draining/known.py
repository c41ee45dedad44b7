"""Other people's libraries that work with sockets in C, and what is therefore missing in a trace.

Owns the table, which docs/blind-spots.md repeats. Knows no process: names go in, sentences come out.
What is not in it was looked at, too: parsers (hiredis, httptools, h11, aiohttp's, yarl's, multidict's,
BSON of pymongo, protocol of asyncpg) and `_asyncio` touch no socket; trio, curio, anyio and twisted
go through `socket` and `select`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_CLIENT = "the connections that it makes, their calls and its waits are not in this trace"
_LOOP = "the calls on the sockets that it serves, and its waits, are not in this trace"


@dataclass(frozen=True)
class Known:
    """A library and what it hides.

    Args:
        name: as people call it.
        modules: its extension modules: that name, and whatever lies below it.
        libraries: shared libraries without `lib` and version; loaded by any of them, it is named as well.
        is_: what it is.
        missing: what a trace lacks.
    """

    name: str
    modules: tuple[str, ...]
    libraries: tuple[str, ...]
    is_: str
    missing: str

    @property
    def sentence(self) -> str:
        """Say it."""
        return f"{self.name} was loaded, {self.is_}: {self.missing}"


KNOWN = (
    Known("uvloop", ("uvloop",), (), "an event loop in C (libuv)", _LOOP),
    Known("gevent", ("gevent",), (), "which waits in C (libev or libuv)",
          "its waits are not in this trace; the calls that its sockets make are, with EAGAIN where a greenlet then waits"),
    Known("pycurl", ("pycurl", "curl_cffi"), ("curl", "curl-gnutls", "curl-impersonate"), "an HTTP client in C (libcurl)", _CLIENT),
    Known("ZeroMQ", ("zmq",), ("zmq",), "which sends and receives in threads of its own, in C++", _CLIENT),
    Known("gRPC", ("grpc",), ("grpc",), "whose transport is written in C++", _CLIENT),
    Known("libpq", ("psycopg2", "psycopg_c", "psycopg_binary", "pgdb", "_pg", "pq"), ("pq",), "PostgreSQL's client in C", _CLIENT),
    Known("MySQL's C client", ("MySQLdb", "_mysql_connector", "mariadb"), ("mysqlclient", "mariadb", "mariadbclient"),
          "a database client in C", _CLIENT),
    Known("FreeTDS", ("pymssql", "_mssql"), ("sybdb", "tdsodbc"), "a database client in C", _CLIENT),
    Known("Oracle's C client", ("cx_Oracle",), ("clntsh",), "a database client in C", _CLIENT),
    Known("ODBC", ("pyodbc",), ("odbc",), "behind which drivers in C talk to databases", _CLIENT),
    Known("the Cassandra driver's event loop", ("cassandra.io.libevwrapper",), (), "which waits in C (libev)", _LOOP),
    Known("librdkafka", ("confluent_kafka",), ("rdkafka",), "a Kafka client in C, with threads of its own", _CLIENT),
    Known("nanomsg", ("_nanomsg_cpy", "pynng"), ("nanomsg", "nng"), "which sends and receives in threads of its own, in C", _CLIENT),
    Known("libmemcached", ("_pylibmc",), ("memcached",), "a memcached client in C", _CLIENT),
    Known("libssh2", ("ssh2", "ssh"), ("ssh2", "ssh"), "an SSH client in C", _CLIENT),
    Known("uWSGI", ("uwsgi",), (), "a web server in C", _LOOP),
    Known("bjoern", ("bjoern", "_bjoern"), (), "a web server in C (libev)", _LOOP),
    Known("meinheld", ("meinheld",), (), "a web server in C (picoev)", _LOOP),
    Known("granian", ("granian",), (), "a web server in Rust", _LOOP),
    Known("robyn", ("robyn",), (), "a web server in Rust", _LOOP),
    Known("rloop", ("rloop",), (), "an event loop in Rust", _LOOP),
    Known("pyuv", ("pyuv",), ("uv",), "libuv in C", _LOOP),
    Known("libev or libevent", ("_pyev", "pyev", "event"), ("ev", "event", "event_core"), "an event loop in C", _LOOP),
    Known("NATS or MQTT in C", (), ("nats", "mosquitto"), "a client in C", _CLIENT),
    Known("liburing", (), ("uring",), "io_uring from C", "what was submitted to its rings is not in this trace"),
)  # fmt: skip

_BY_MODULE = {module: known for known in KNOWN for module in known.modules}
_BY_LIBRARY = {library: known for known in KNOWN for library in known.libraries}
_LIBRARY_NAME = re.compile(r"lib([A-Za-z_+]+(?:-(?:gnutls|impersonate))?\d?)(?:[-._][^/]*)?\.so[^/]*")


def by_module(name: str) -> Known | None:
    """Return what is known of an extension module, given its full name: the entry of the longest name above it."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        found = _BY_MODULE.get(".".join(parts[:length]))
        if found is not None:
            return found
    return None


def by_library(file: str) -> Known | None:
    """Return what is known of a shared library, given the name of its file."""
    match = _LIBRARY_NAME.fullmatch(file)
    return _BY_LIBRARY.get(match[1]) if match else None


def libraries(maps: bytes) -> set[str]:
    """Return the file names of the shared libraries in the text of a /proc/PID/maps."""
    paths = {line.split(None, 5)[5] for line in maps.splitlines() if b".so" in line and b"/" in line}
    return {path.removesuffix(b" (deleted)").rpartition(b"/")[2].decode("utf-8", "replace") for path in paths}
