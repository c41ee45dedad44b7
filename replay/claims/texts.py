"""Every sentence of the claims and their page, by key: to be read, corrected and translated in one place.

Owns words only; figures come in by name, already in words.
"""

from __future__ import annotations

STATEMENTS = {
    "both-phases": "Under blocking I/O both phases block: the wait for data, and the copy from the kernel to the program.",
    "at-once": "A nonblocking call always returns at once.",
    "burns": "Polling burns a processor while doing nothing.",
    "rarely-used": "Nonblocking I/O is hardly used in practice.",
    "readiness": "select, poll, epoll, signals and io_uring spare the program the polling: one place waits for all.",
    "accept": "Connections accepted from a nonblocking listener are nonblocking, too.",
}

TEXTS = {
    # both-phases
    "first-phase": "First phase: a receive was called while nothing was there. Nobody said anything for {silent}; it came back after "
                   "{took} (call {call}).",
    "second-phase": "Second phase: with everything lying in the kernel already, the call still came back only when all was copied: "
                    "{least_bytes} took {least}, {most_bytes} took {most}, {times} as long.",
    "both-rule": "holds where the receive took at least as long as the silence, that being 10 ms or more, and the largest copy at least "
                 "{grows:g} times as long as the smallest; in part where only one of them is so",
    # at-once
    "no-wait": "It never waits: {calls} found nothing; half of them took {median} or less, 99 % {p99} or less, and the process gave the "
               "processor up to wait {switches} in all.",
    "did-wait": "Of {calls} that found nothing half took {median} or less, but 99 % only {p99} or less, and the process gave the processor "
                "up to wait {switches}: that is no return at once.",
    "longest": "The longest of them took {longest}. A call that cannot sleep can still be interrupted: this process was taken off its "
               "processor {preempted}, and was ready without one for {delay} in all.",
    "copy-phase": "It does copy: a nonblocking receive that finds data returns when the copy is done. {least_bytes} took {least}, "
                  "{most_bytes} {most}, {times} as long; from {from_bytes} on about {per_mb} for each MB. Nonblocking spares the first "
                  "phase, not the second.",
    "copy-flat": "A receive that finds data takes about the same however much it moves: {least_bytes} took {least}, {most_bytes} {most}.",
    "at-once-rule": "does not hold where more than 1 % of the calls that found nothing took 1 ms and more, or where the process slept in "
                    "one of 100; holds in part where they are at once, and copies take {grows:g} times as long as the smallest",
    # burns
    "burning": "Ten clients were connected and said nothing for 1.5 s. The polling server made {calls} ({share} of all) and took "
               "{rate} of CPU a second; {of_cpu} of its CPU went into calls that found nothing.",
    "hindered": "It wanted more: for {delay} it was ready and had no processor, others being busy; with those it is {wanted} a second.",
    "beside": "In the same silence {other} took {rate} of CPU a second: polling took {times} as much.",
    "sleeping": "{other}, which sleeps between its rounds, took {rate} a second.",
    "burns-rule": "holds where the time on a processor and ready for one is at least half of the run, and at least half of the CPU time "
                  "went into calls that found nothing",
    # rarely-used
    "bare-polling": "As bare polling it is not worth using: {fruitless} of its calls in a burst of {asked} found nothing, and {cpu} of CPU "
                    "went into each answer, where {other} took {other_cpu}.",
    "under-readiness": "Under a wait for readiness it is the rule: {names} made {calls} on {sockets} that move data, and none of them "
                       "could wait.",
    "not-all": "Not everywhere: {names} made {calls} that could wait.",
    "named": "Which framework does what is measured in [frameworks](frameworks.md).",
    "rarely-rule": "does not hold where asyncio's connections are all nonblocking, every call; holds where all of its calls can wait",
    # readiness
    "idle-cheap": "In silence {names} took between {least} and {most} of CPU a second, accepting the ten clients and letting them go "
                  "included; polling took {polling}, and asked for {wanted}.",
    "idle-dear": "In silence {name} took {rate} of CPU a second, more than {limit} of what polling asked for.",
    "work": "Under a burst {names} found nothing in {least} to {most} of their calls; polling in {polling}.",
    "not-recorded": "What {name} did on its connections was not recorded: its calls per exchange are not known.",
    "readiness-rule": "holds where each of them takes in silence at most 5 % of the CPU time that polling had or was ready for, and a "
                      "smaller share of its calls in the burst finds nothing; in part where that is so for some",
    # accept
    "listener": "The tutorial's own server: its listener is nonblocking ({polls} on it, none of which could wait).",
    "blocks": "The {connections} it accepted were asked {calls}, all of which could wait; the longest blocked for {longest}.",
    "no-blocks": "The {connections} it accepted were asked {calls}, none of which waited.",
    "held": "{client}'s request waited {waited} for its answer: for {held} of it the server was blocked in {operation} on another client's "
            "connection{site}.",
    "explained": "`sockreel explain` names it (half-blocking), by the calls {calls}.",
    "why": "accept(2): on Linux the new socket does not inherit O_NONBLOCK; on BSD and macOS it does.",
    "accept-rule": "does not hold where the listener's calls cannot wait and a call on an accepted connection blocked for 8 ms or more; "
                   "holds where none of the calls on them could wait",
    # everywhere
    "missing": "The runs that would tell are not in this trace.",
    "neither": "The figures decide neither way.",
}

PAGE = {
    "title": "# What tutorials claim, and what was measured",
    "intro": "Every claim below is stated as tutorials state it, measured in recorded runs, and judged by a rule in code "
             "(`replay/claims/judging.py`): no verdict was typed in. This page was written by",
    "machine": "on {day}, sockreel {version}, {kernel}, CPython {python}. Figures differ from machine to machine and from run to run; a "
               "verdict that a run does not decide says so. CPU time is that of the server from its first listen on; recording is in it.",
    "summary": "| claim | measured |\n| --- | --- |",
    "verdict": "**{verdict}**",
    "holds": "Holds", "holds in part": "Holds in part", "does not hold": "Does not hold", "undecided": "Undecided in this run",
    "rule": "Decided by: {rule}.",
    "look": "Look at the runs:",
    "again": "Measure it again (the scripts are in the clone):",
    "end": "All runs are in one trace; `sockreel claims --from claims.db` judges it again.",
}

COLUMNS = {
    "copy": ("bytes", "blocking, median", "longest", "nonblocking, median", "longest"),
    "fruitless": ("calls that found nothing", "calls", "median", "99 %", "longest"),
    "silence": ("in silence, each second", "calls", "found nothing", "CPU", "of it in calls that found nothing", "gave up the CPU to wait"),
    "burst": ("in the burst, each exchange", "calls", "found nothing", "CPU", "gave up the CPU to wait", "median latency", "answered"),
    "waits": ("sockets", "could wait", "calls", "longest"),
}
WORDS = {"forever": "for ever", "never": "never", "limited": "up to a timeout", "accepted": "accepted", "listener": "listener"}

AGAIN = {
    "copying": "record -o again.db recorder/experiments/copying.py {how}",
    "silence": "lab --models {models} --workload silence -o again.db",
    "burst": "lab --models {models} --workload burst -o again.db",
    "tutorial": "record -o again.db --workload lecture recorder/experiments/tutorial.py 127.0.0.1 0",
}
