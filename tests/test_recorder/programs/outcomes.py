"""Every recorded method with every outcome that a program can bring about: prints what each call should be in a trace.

Knows nothing of who may be watching. Every function `case_...` makes calls on its own lines, and says of each, from
what the call gave it, what came of it. Preparations stand in other functions, so their calls have other sites.
Prints the results and messages as it saw them, which must not depend on anybody watching, then the list as JSON.
"""
# Runs under Python 3.8, too.

import json
import shutil
import sys

import outcomes_meeting
import outcomes_moving
from outcomes_support import FOLDER, expected, seen


def main():
    chosen = sys.argv[1:]
    try:
        for name, case in {**vars(outcomes_moving), **vars(outcomes_meeting)}.items():
            if name.startswith("case_") and (not chosen or name in chosen):
                expected[name] = []
                case()
    finally:
        shutil.rmtree(FOLDER)
    for line in seen:
        print(*line)
    print(json.dumps(expected))


if __name__ == "__main__":
    main()
