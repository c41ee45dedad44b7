"""Builds the C parts, the agent's core and the drain's counting; everything else about the package stands in pyproject.toml.

SOCKREEL_C=no leaves it out, SOCKREEL_C=require fails without it; otherwise a build that fails (no compiler, no
headers) is said once, and Python does the work.
"""

import os
import sysconfig

from setuptools import Extension, setup

WANTED = os.environ.get("SOCKREEL_C", "")
if WANTED not in ("", "no", "require"):
    raise SystemExit(f"SOCKREEL_C is {WANTED!r}: it may be no, require or empty")
PARTS = [
    Extension(
        name,
        [source],
        depends=[f"recorder/agent/{name}.h" for name in ("slot", "unseen", "handler", "gate", "arrival", "notes", "sockets", "waits")],
        extra_compile_args=["-O3", "-fno-plt", "-fno-semantic-interposition", "-std=gnu11"],
        optional=WANTED != "require",
    )
    for name, source in {
        "sockreel.recorder.agent._core": "recorder/agent/_core.c",
        "sockreel.recorder.tapes._slots": "recorder/tapes/_slots.c",
    }.items()
]
# A free-threaded interpreter has no GIL to stand under: it uses the Python core.
setup(ext_modules=[] if WANTED == "no" or sysconfig.get_config_var("Py_GIL_DISABLED") else PARTS)
