"""Typed reading of one TOML table of a workload, with complaints that say where and what.

Owns the check of each kind of value: time, number, word, line, bytes, list of tables. Knows no
workload: which keys there are, and what they mean, is its caller's.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, TypeVar

MAX_TIME_NS = 3_600_000_000_000
_UNITS_NS = {"us": 1_000, "ms": 1_000_000, "s": 1_000_000_000, "min": 60_000_000_000}
_TIME = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*(us|ms|s|min)", re.ASCII)
_KINDS: dict[type, str] = {bool: "true or false", int: "a number", float: "a number", str: "a string", list: "a list", dict: "a table"}

Number = TypeVar("Number", int, "int | None")


class WorkloadTableError(Exception):
    """Something in a workload's table is wrong; the text says where in the file, and what."""


class Table:
    """A TOML table whose keys are known.

    Args:
        values: what the TOML reader gave.
        where: the table's place, such as `clients[2].say[1]`; empty for the whole file.
        keys: the keys it may have.

    Raises:
        WorkloadTableError: it is not a table, or has another key.
    """

    def __init__(self, values: object, where: str, keys: Sequence[str]) -> None:
        self.where = where
        if not isinstance(values, dict):
            raise WorkloadTableError(f"{where}: must be a table, not {_kind(values)}")
        self.values: dict[str, Any] = values
        for key in values:
            if key not in keys:
                near = get_close_matches(key, keys, 1)
                hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(keys)}"
                raise WorkloadTableError(f"{where + ': ' if where else ''}unknown key {_short(key)}; {hint}")

    def error(self, key: str, complaint: str) -> WorkloadTableError:
        """Return the error that says what is wrong with a key's value."""
        return WorkloadTableError(f"{self._place(key)} {complaint}")

    def time(self, key: str, default: Number, low_ns: int = 0) -> Number:
        """Return a time in nanoseconds: "200ms", "1.5s", or a number of seconds."""
        value = self.values.get(key)
        if value is None:
            return default
        seconds: float
        if isinstance(value, str):
            match = _TIME.fullmatch(value.strip())
            if match is None:
                raise self.error(key, f'must be a time such as "200ms" or "1.5s", not {_short(value)}')
            seconds = float(match[1]) * _UNITS_NS[match[2]] / 1e9
        elif isinstance(value, int | float) and not isinstance(value, bool):
            try:
                seconds = float(value)
            except OverflowError:
                seconds = math.inf
        else:
            raise self.error(key, f'must be a time such as "200ms" or "1.5s", not {_kind(value)}')
        if math.isnan(seconds) or seconds < 0:
            raise self.error(key, f"must not be negative: {_short(value)}")
        if seconds > MAX_TIME_NS / 1e9:
            raise self.error(key, f"must be at most an hour: {_short(value)}")
        time_ns = round(seconds * 1e9)
        if time_ns < low_ns:
            raise self.error(key, f"must be at least {low_ns // 1_000_000} ms: {_short(value)}")
        return time_ns

    def number(self, key: str, default: Number, low: int, high: int) -> Number:
        """Return a whole number from `low` to `high`."""
        value = self.values.get(key)
        if value is None:
            return default
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.error(key, f"must be a whole number, not {_kind(value)}")
        if not low <= value <= high:
            raise self.error(key, f"must be from {low:,} to {high:,}, not {_short(value)}")
        return value

    def line(self, key: str, default: str) -> str:
        """Return a string that a terminal shows as one line."""
        value = self.values.get(key, default)
        if not isinstance(value, str):
            raise self.error(key, f"must be a string, not {_kind(value)}")
        if not value.isprintable():
            raise self.error(key, f"must be one printable line: {_short(value)}")
        return value

    def word(self, key: str, words: Sequence[str], default: str, more: str = "") -> str:
        """Return one of `words`; `more` is added to the complaint about any other."""
        value = self.values.get(key, default)
        if not isinstance(value, str):
            raise self.error(key, f"must be one of {', '.join(words)}{more}, not {_kind(value)}")
        if value not in words:
            near = get_close_matches(value, words, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise self.error(key, f"must be one of {', '.join(words)}{more}, not {_short(value)}{hint}")
        return value

    def data(self) -> bytes:
        """Return the bytes that `text` (as UTF-8) or `bytes` (as hexadecimal digits) stands for."""
        key = "text" if "text" in self.values else "bytes"
        value = self.values[key]
        if not isinstance(value, str):
            form = "a string" if key == "text" else 'hexadecimal digits such as "00 ff 0a"'
            raise self.error(key, f"must be {form}, not {_kind(value)}")
        try:
            data = value.encode() if key == "text" else bytes.fromhex(value)
        except ValueError as error:
            raise self.error(key, f'must be hexadecimal digits such as "00 ff 0a", not {_short(value)}') from error
        if not data:
            raise self.error(key, "is empty: there must be something to say")
        return data

    def table(self, key: str, keys: Sequence[str]) -> Table:
        """Return the table under a key."""
        return Table(self.values[key], self._place(key), keys)

    def tables(self, key: str, keys: Sequence[str], short: str | None = None) -> list[Table]:
        """Return the list of tables under a key; where `short` is given, a string stands for { short = string }."""
        value = self.values.get(key, [])
        if not isinstance(value, list):
            form = "a list of strings and tables" if short else f"tables, each written [[{key}]]"
            raise self.error(key, f"must be {form}, not {_kind(value)}")
        found = []
        for number, each in enumerate(value, 1):
            where = f"{self._place(key)}[{number}]"
            if short and not isinstance(each, str | dict):
                raise WorkloadTableError(f"{where} must be a string or a table, not {_kind(each)}")
            values = {short: each} if short and isinstance(each, str) else each
            found.append(Table(values, where, keys))
        return found

    def at_most_one(self, *keys: str) -> None:
        """Refuse a table that has two of these keys."""
        present = [key for key in keys if key in self.values]
        if len(present) > 1:
            raise WorkloadTableError(f"{self.where}: {' and '.join(present)} exclude each other")

    def exactly_one(self, *keys: str) -> None:
        """Refuse a table that has none of these keys, or two."""
        self.at_most_one(*keys)
        if not any(key in self.values for key in keys):
            raise WorkloadTableError(f"{self.where}: needs one of {', '.join(keys)}")

    def only_with(self, key: str, other: str) -> None:
        """Refuse a key that means nothing without another."""
        if key in self.values and other not in self.values:
            raise self.error(key, f"means nothing without {other!r}")

    def _place(self, key: str) -> str:
        return f"{self.where}.{key}" if self.where else key


def _kind(value: object) -> str:
    return _KINDS.get(type(value), "a date or time")


def _short(value: object) -> str:
    try:
        text = repr(value)
    except ValueError:  # an integer of more digits than Python prints
        return "a number of thousands of digits"
    return text if len(text) <= 50 else f"{text[:47]}..."
