"""The TOML file of a workload: what it means, and what is said of one that cannot be used."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sockreel.recorder.workloads.workload import (
    REPEAT_IN_TIME,
    Expectation,
    Group,
    Message,
    Payload,
    Workload,
    WorkloadError,
    load_workload,
    shipped_workloads,
)

from .playing import workload

MS = 1_000_000
DOCS = Path(__file__).parents[2] / "docs" / "workloads.md"


def test_every_key_has_its_meaning(tmp_path: Path) -> None:
    text = """
    description = "all of it"
    limit = "10s"
    [[clients]]
    name = "crowd"
    count = 3
    connect = "100ms"
    stagger = 0.25
    timeout = "2s"
    leave = "reset"
    leave_after = "50us"
    say = [
      "hi",
      { bytes = "00 ff", at = "1.5s", repeat = 4, every = 1, piece = 1, piece_every = "20ms", expect = "any", timeout = 3 },
      { size = 1_000, after = "20ms", expect = { text = "é" } },
    ]
    """
    quick = Message(Payload(b"hi", 2), None, 0, 1, 0, 0, 0, Expectation("upper"), 2000 * MS)
    slow = Message(Payload(b"\x00\xff", 2), 1500 * MS, 0, 4, 1000 * MS, 1, 20 * MS, Expectation("any"), 3000 * MS)
    alphabet = Payload(b"abcdefghijklmnopqrstuvwxyz", 1000)
    large = Message(alphabet, None, 20 * MS, 1, 0, 0, 0, Expectation("literal", "é".encode()), 2000 * MS)
    group = Group("crowd", 3, 100 * MS, 250 * MS, (quick, slow, large), "reset", 50_000, 2000 * MS)
    read = workload(tmp_path, text)
    assert read == Workload("test", "all of it", 10_000 * MS, (group,))
    assert read.clients == 3
    assert list(group.names()) == ["crowd-1", "crowd-2", "crowd-3"]


def test_what_is_not_given_is_the_plainest(tmp_path: Path) -> None:
    read = workload(tmp_path, "[[clients]]")
    assert read == Workload("test", "", 30_000 * MS, (Group("client", None, 0, 0, (), "close", 0, None),))
    assert list(read.groups[0].names()) == ["client"]


@pytest.mark.parametrize(
    ("written", "time_ns"),
    [
        ('"1us"', 1_000),
        ('"200ms"', 200 * MS),
        ('"1.5s"', 1500 * MS),
        ('" 2 min "', 120_000 * MS),
        ('".5s"', 500 * MS),
        ("0", 0),
        ("0.25", 250 * MS),
    ],
)
def test_times_have_units_or_are_seconds(tmp_path: Path, written: str, time_ns: int) -> None:
    assert workload(tmp_path, f'limit = "5min"\n[[clients]]\nconnect = {written}').groups[0].connect_ns == time_ns


def test_the_shipped_workloads_load_by_name_and_are_described_in_one_line() -> None:
    shipped = shipped_workloads()
    assert list(shipped) == ["burst", "idle", "lecture", "reset", "silence", "trickle"]
    for name, description in shipped.items():
        assert load_workload(name).name == name
        assert 20 < len(description) < 100 and description.isprintable()
    assert load_workload("lecture").clients == 3
    assert load_workload("idle").clients == 101
    assert load_workload("reset").clients == 5


def test_a_file_in_this_folder_does_not_hide_a_shipped_workload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("lecture").write_text('description = "mine"\n[[clients]]')
    assert load_workload("lecture").clients == 3
    assert load_workload("./lecture").description == "mine"


def test_the_documented_example_is_a_workload_and_every_key_is_documented(tmp_path: Path) -> None:
    docs = DOCS.read_text()
    found = re.search(r"```toml\n(.*?)```", docs, re.DOTALL)
    assert found is not None
    example = workload(tmp_path, found[1])
    assert [group.name for group in example.groups] == ["anna", "crowd", "typist", "ghost"]
    assert {group.leave for group in example.groups} == {"close", "half-close", "reset", "stay"}
    with pytest.raises(WorkloadError) as group_error:
        workload(tmp_path, "[[clients]]\nzzz = 1")
    with pytest.raises(WorkloadError) as message_error:
        workload(tmp_path, "[[clients]]\nsay = [{ zzz = 1 }]")
    keys = [key for error in (group_error, message_error) for key in str(error.value).split("known are ")[1].split(", ")]
    assert len(keys) == 21
    assert [key for key in keys if f"`{key}`" not in docs] == []


BROKEN = {
    "": "no clients",
    "[[clients]": "not valid TOML",
    "clients = 3": "clients must be tables, each written [[clients]], not a number",
    "[clients]": "clients must be tables, each written [[clients]], not a table",
    "clients = [3]": "clients[1]: must be a table, not a number",
    "client = []": "unknown key 'client'; did you mean 'clients'?",
    "[[clients]]\nnaem = 'x'": "clients[1]: unknown key 'naem'; did you mean 'name'?",
    "[[clients]]\n[[clients]]\nname = 'b'\nsay = [{ txt = 'x' }]": "clients[2].say[1]: unknown key 'txt'; did you mean 'text'?",
    "[[clients]]\nzzz = 1": "clients[1]: unknown key 'zzz'; known are name, count",
    '[[clients]]\n"\\u001b[2J" = 1': "unknown key '\\x1b[2J'",
    "description = 3\n[[clients]]": "description must be a string, not a number",
    "description = 'a\\n'\nx": "not valid TOML",
    'description = "a\\nb"\n[[clients]]': "description must be one printable line",
    "limit = 0\n[[clients]]": "limit must be at least 1 ms",
    "limit = -1\n[[clients]]": "limit must not be negative: -1",
    "limit = nan\n[[clients]]": "limit must not be negative: nan",
    "limit = inf\n[[clients]]": "limit must be at most an hour: inf",
    "limit = 1e300\n[[clients]]": "limit must be at most an hour",
    f"limit = {'9' * 400}\n[[clients]]": "limit must be at most an hour",
    f"limit = {'9' * 5000}\n[[clients]]": "not valid TOML" if hasattr(sys, "set_int_max_str_digits") else "an hour",
    "limit = true\n[[clients]]": 'limit must be a time such as "200ms" or "1.5s", not true or false',
    "limit = 2020-01-01\n[[clients]]": "not a date or time",
    "limit = '-5ms'\n[[clients]]": "limit must be a time such as",
    "limit = '5 parsecs'\n[[clients]]": "not '5 parsecs'",
    "limit = '٣s'\n[[clients]]": "limit must be a time",
    "[[clients]]\nname = ''": "clients[1].name must have 1 to 64 characters",
    "[[clients]]\nname = 'a'\n[[clients]]\nname = 'a'": "two clients are called 'a'",
    "[[clients]]\nname = 'a-2'\n[[clients]]\nname = 'a'\ncount = 2": "two clients are called 'a-2'",
    "[[clients]]\ncount = 0": "clients[1].count must be from 1 to 20,000, not 0",
    "[[clients]]\ncount = 20001": "clients[1].count must be from 1 to 20,000, not 20001",
    "[[clients]]\ncount = 1.5": "clients[1].count must be a whole number, not a number",
    "[[clients]]\ncount = true": "clients[1].count must be a whole number, not true or false",
    "[[clients]]\nname='a'\ncount = 15000\n[[clients]]\ncount = 15000": "30,000 clients: more than 20,000",
    "[[clients]]\nconnect = '31s'": "clients[1].connect is not before the workload's limit",
    "[[clients]]\ncount = 100\nstagger = '1s'": "clients[1].stagger lets the last client connect after the workload's limit",
    "[[clients]]\nstagger = '1s'": "clients[1].stagger means nothing without 'count'",
    "[[clients]]\nleave = 'halfclose'": "not 'halfclose'; did you mean 'half-close'?",
    "[[clients]]\nleave = 3": "clients[1].leave must be one of close, half-close, reset, stay, not a number",
    "[[clients]]\nsay = 'x'": "clients[1].say must be a list of strings and tables, not a string",
    "[[clients]]\nsay = [3]": "clients[1].say[1] must be a string or a table, not a number",
    "[[clients]]\nsay = ['']": "clients[1].say[1].text is empty",
    "[[clients]]\nsay = [{}]": "clients[1].say[1]: needs one of text, bytes, size",
    "[[clients]]\nsay = [{ text = 'a', size = 3 }]": "text and size exclude each other",
    "[[clients]]\nsay = [{ text = 3 }]": "text must be a string, not a number",
    "[[clients]]\nsay = [{ bytes = 'xyz' }]": "bytes must be hexadecimal digits such as",
    "[[clients]]\nsay = [{ bytes = [1, 2] }]": 'bytes must be hexadecimal digits such as "00 ff 0a", not a list',
    "[[clients]]\nsay = [{ size = 0 }]": "size must be from 1 to 67,108,864, not 0",
    "[[clients]]\nsay = [{ size = 99999999999999999999999 }]": "size must be from 1 to",
    "[[clients]]\nsay = [{ size = 60_000_000 }, { size = 60_000_000 }]": "messages of 120,000,000 bytes in all",
    "[[clients]]\nsay = [{ text = 'a', at = 1, after = 2 }]": "at and after exclude each other",
    "[[clients]]\nsay = [{ text = 'a', at = '30s' }]": "clients[1].say[1].at is not before the workload's limit",
    "[[clients]]\nsay = [{ text = 'a', every = 1 }]": "every means nothing without 'repeat'",
    "[[clients]]\nsay = [{ text = 'a', piece_every = 1 }]": "piece_every means nothing without 'piece'",
    "[[clients]]\nsay = [{ text = 'a', piece = 0 }]": "piece must be from 1",
    "[[clients]]\nsay = [{ text = 'a', repeat = 1000001 }]": "repeat must be from 1 to 1,000,000",
    "[[clients]]\ncount = 100\nsay = [{ text = 'a', repeat = 1000000 }]": "100,000,000 exchanges: more than 10,000,000",
    "[[clients]]\nsay = [{ text = 'a', timeout = 0 }]": "timeout must be at least 1 ms",
    "[[clients]]\nexpect = 'uper'": "not 'uper'; did you mean 'upper'?",
    "[[clients]]\nexpect = {}": "clients[1].expect: needs one of text, bytes",
    "[[clients]]\nexpect = { text = '' }": "clients[1].expect.text is empty",
    "[[clients]]\nexpect = ['upper']": "clients[1].expect must be one of upper, any, none",
    "x = " + "[" * 100_000: "not a workload: nested too deeply",
}


@pytest.mark.parametrize("text", BROKEN, ids=range(len(BROKEN)))
def test_a_malformed_file_is_named_with_what_is_wrong_in_one_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(WorkloadError) as caught:
        workload(tmp_path, text)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'test.toml'}: ")
    assert BROKEN[text] in message
    assert message.isprintable() and len(message) < len(str(tmp_path)) + 300


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "w.toml"
    path.write_bytes(b'description = "\xff"')
    with pytest.raises(WorkloadError, match=r"w\.toml: not a workload: byte 15 is not UTF-8"):
        load_workload(str(path))
    with pytest.raises(WorkloadError, match="/dev/zero: not a workload: larger than 1,048,576 bytes"):
        load_workload("/dev/zero")
    with pytest.raises(WorkloadError, match="Is a directory"):
        load_workload(str(tmp_path))
    with pytest.raises(WorkloadError, match="cannot be read as a workload"):
        load_workload("a\x00b")


@pytest.mark.parametrize("name", ["lectrue", "nowhere/lecture.toml", "missing.toml", "", "."])
def test_a_missing_workload_names_those_that_there_are(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WorkloadError) as caught:
        load_workload(name)
    assert "burst, idle, lecture, reset, silence, trickle" in str(caught.value) or "Is a directory" in str(caught.value)
    assert ("did you mean lecture?" in str(caught.value)) == (name == "lectrue")


VALUES = st.recursive(
    st.sampled_from(
        ['"upper"', '"reset"', '"1s"', '"-1s"', '"x"', '""', "0", "1", "3", "-1", "0.5", "nan", "true", "2020-01-01", "9" * 19]
    ),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda each: f"[{', '.join(each)}]")
        | st.dictionaries(st.sampled_from(["text", "bytes", "size", "at", "repeat", "expect", "zzz"]), inner, max_size=3).map(
            lambda each: "{" + ", ".join(f"{key} = {value}" for key, value in each.items()) + "}"
        )
    ),
    max_leaves=6,
)
KEYS = ["name", "count", "connect", "stagger", "say", "expect", "timeout", "leave", "leave_after", "zzz"]


@given(top=st.dictionaries(st.sampled_from(["limit", "description"]), VALUES), client=st.dictionaries(st.sampled_from(KEYS), VALUES))
def test_any_file_is_a_workload_or_one_clear_line(tmp_path: Path, top: dict[str, str], client: dict[str, str]) -> None:
    lines = [f"{key} = {value}" for key, value in top.items()]
    lines += ["[[clients]]", *(f"{key} = {value}" for key, value in client.items())]
    try:
        read = workload(tmp_path, "\n".join(lines))
    except WorkloadError as error:
        assert str(error).startswith(f"{tmp_path / 'test.toml'}: ") and str(error).isprintable()
    else:
        assert 1 <= read.clients <= 20_000 and 0 < read.limit_ns <= 3_600_000 * MS


@given(st.binary(max_size=200))
def test_any_bytes_are_one_clear_line(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "raw.toml"
    path.write_bytes(raw)
    with pytest.raises(WorkloadError, match=r"raw\.toml: "):
        load_workload(str(path))


def test_a_message_may_be_said_for_a_time(tmp_path: Path) -> None:
    file = tmp_path / "for.toml"
    file.write_text('[[clients]]\nsay = [{ text = "a", for = "200ms" }, { text = "b", for = 1, repeat = 7, every = "1ms" }]\n')
    first, second = load_workload(str(file)).groups[0].messages
    assert (first.for_ns, first.repeat, second.for_ns, second.repeat) == (200_000_000, REPEAT_IN_TIME, 1_000_000_000, 7)
