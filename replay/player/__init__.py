"""The player: a run, or two in step, to go through call by call in the terminal.

`timeline` puts the calls in order, `state` says how things stand at a moment, `panes` and `stage` draw that as text,
`app` is the screen. Only `app` and `dialogs` know textual.
"""

from __future__ import annotations
