"""What strace writes is read back whatever is in it: cut lines, signals, ends, hostile names."""

from __future__ import annotations

import errno

from hypothesis import given
from hypothesis import strategies as st
from sockreel.recorder.verifying.strace import Observed, Syscall, read_strace

AT = "1700000000.000001"


def _told(*texts: str, thread: int = 7) -> Observed:
    return read_strace(f"{thread} {AT} {text}" for text in texts)


def _only(*texts: str) -> Syscall:
    told = _told(*texts)
    assert len(told.calls) == 1 and not told.unread, told
    return told.calls[0]


def test_a_plain_call_is_read_with_descriptor_target_result_and_time() -> None:
    call = _only('recvfrom(4<socket:[99]>, ""..., 65536, 0, NULL, NULL) = 12')
    assert (call.thread, call.name, call.fd, call.target, call.result, call.errno) == (7, "recvfrom", 4, "socket:[99]", 12, 0)
    assert call.at_ns == 1_700_000_000_000_001_000


def test_a_failure_is_read_as_its_number() -> None:
    assert _only("accept4(3<socket:[1]>, NULL, NULL, SOCK_CLOEXEC) = -1 EAGAIN (Resource temporarily unavailable)").errno == errno.EAGAIN


def test_a_line_that_another_thread_cut_is_put_together() -> None:
    told = read_strace([
        f"7 {AT} accept4(3<socket:[1]>,  <unfinished ...>",
        f"8 {AT} sendto(5<socket:[2]>, \"\"..., 3, 0, NULL, 0) = 3",
        f"7 {AT} <... accept4 resumed>{{sa_family=AF_UNIX, sun_path=@\"a) = 9\"}}, [16], SOCK_CLOEXEC) = 6<socket:[3]>",
    ])  # fmt: skip
    assert [(call.thread, call.name, call.result) for call in told.calls] == [(7, "accept4", 6), (8, "sendto", 3)]


def test_a_call_cut_short_by_the_end_of_its_process_did_not_return() -> None:
    for last in ("+++ killed by SIGKILL +++", "<... recvfrom resumed> <unfinished ...>) = ?", "<... recvfrom resumed>) = ?"):
        call = _only("recvfrom(4<socket:[9]>,  <unfinished ...>", last)
        assert (call.result, call.errno) == (None, 0)


def test_the_end_of_the_text_ends_every_call() -> None:
    assert _only("recvfrom(4<socket:[9]>,  <unfinished ...>").result is None


def test_every_kind_of_restart_is_an_interruption() -> None:
    for name in ("ERESTARTSYS", "ERESTARTNOHAND", "ERESTARTNOINTR", "ERESTART_RESTARTBLOCK"):
        assert _only(f"recvfrom(4<socket:[9]>, 0x7f, 1, 0, NULL, NULL) = ? {name} (To be restarted if SA_RESTART is set)").is_interrupted


def test_a_wait_that_the_kernel_goes_on_with_keeps_its_name_and_descriptors() -> None:
    told = _told(
        "poll([{fd=3<socket:[9]>, events=POLLIN}], 1, 200) = ? ERESTART_RESTARTBLOCK (Interrupted by signal)",
        "--- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED} ---",
        "restart_syscall(<... resuming interrupted poll ...>) = 0",
    )
    assert [(call.name, call.watched, call.result) for call in told.calls] == [("poll", (3,), None), ("poll", (3,), 0)]


def test_waits_tell_what_they_watched_and_how_many_were_ready() -> None:
    call = _only("pselect6(9, [5<socket:[1]> 8<socket:[2]>], [5<socket:[1]>], [], NULL, NULL) = 2 (in [5], out [5])")
    assert (call.watched, call.result) == ((5, 8), 1)
    call = _only("poll([{fd=3</a ) = \\74b\\76\\\">, events=POLLIN}, {fd=4<pipe:[1]>, events=0}], 2, -1) = 1 ([{fd=3, revents=POLLIN}])")
    assert (call.watched, call.result) == ((3, 4), 1)


def test_what_concerns_no_socket_is_left_out() -> None:
    told = _told(
        'read(3</etc/passwd>, ""..., 10) = 10', 'write(1</dev/pts/0>, ""..., 2) = 2', "close(5<pipe:[7]>) = 0",
        "ioctl(0</dev/null>, TCGETS, 0x7f) = -1 ENOTTY (Inappropriate ioctl for device)",
        "pselect6(0, NULL, NULL, NULL, {tv_sec=1}, NULL) = 0 (Timeout)",
    )  # fmt: skip
    assert (told.calls, told.unread) == ([], 0)


def test_a_write_right_after_a_signal_is_known_as_such() -> None:
    told = _told("--- SIGALRM {si_signo=SIGALRM} ---", 'write(4<socket:[1]>, ""..., 1) = 1', 'write(4<socket:[1]>, ""..., 1) = 1')
    assert [call.after_signal for call in told.calls] == [True, False]


def test_births_and_new_programs_are_told() -> None:
    told = _told(
        "clone3({flags=CLONE_VM|CLONE_THREAD, child_tid=0x7f} => {parent_tid=[8]}, 88) = 8",
        "vfork() = 9", 'execve("/usr/bin/a \\"b", [...], 0x7 /* 3 vars */) = 0', 'execve("/none", [...], 0x7) = -1 ENOENT (No such file)',
    )  # fmt: skip
    assert [(birth.thread, birth.parent, birth.shares) for birth in told.births] == [(8, 7, True), (9, 7, False)]
    assert [(done.thread, done.program) for done in told.execs] == [(7, '/usr/bin/a \\"b')]


def test_a_thread_that_becomes_a_program_goes_on_under_the_process_id() -> None:
    told = read_strace([
        f"9 {AT} execve(\"/bin/x\", [...], 0x7 <unfinished ...>", f"7 {AT} +++ superseded by execve in pid 9 +++",
        f"7 {AT} <... execve resumed>) = 0",
    ])  # fmt: skip
    assert [done.thread for done in told.execs] == [7] and not told.unread


def test_lines_that_are_none_of_straces_are_counted_not_taken() -> None:
    told = read_strace(["", "strace: Process 1 attached", "7 now what", f"7 {AT} ???", f"7 {AT} <... recvfrom resumed>) = 3"])
    assert (told.calls, told.unread, told.lines) == ([], 5, 5)


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=60)))
def test_no_text_makes_the_reader_stumble(lines: list[str]) -> None:
    told = read_strace([*lines, *(f"7 {AT} {line}" for line in lines), *(f"7 {AT} recvfrom(3<socket:[1]>, {line}" for line in lines)])
    assert told.lines == 3 * len(lines)
