"""gevent and eventlet: sockets of their own, made of C sockets whose calls are recorded all the same.

Owns how that is done once `greenlet` is there. gevent's sockets hold a subclass of `_socket.socket`, which
gets the recording methods; eventlet executes `socket` and `select` a second time, and these copies get
them, too. What waits inside of libev stays unseen; recorder/known.py says so.
"""

import os
import sys

from . import methods, sites


def expect(recorder, finder, installs):
    """Return what is to be done when `greenlet` has been loaded.

    Args:
        recorder: whose core records.
        finder: class that hooks modules at their first import (start.WaitForModules).
        installs: name of a module of the standard library -> function(module) that hooks it.
    """

    def greenlet_is_there(module):
        def hook_gevent(socket3):
            sites.pass_over(os.path.dirname(socket3.__file__))
            cls = socket3.socket._gevent_sock_class
            methods.install(cls, recorder)
            cls.close = methods.recording_close(cls.close, recorder)

        def hook_eventlet(greenio):
            sites.pass_over(os.path.dirname(os.path.dirname(greenio.__file__)))

        more = {"gevent._socket3": hook_gevent, "eventlet.greenio": hook_eventlet}
        sys.meta_path.insert(0, finder({**installs, **more}))

    return greenlet_is_there
