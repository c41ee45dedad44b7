"""Whose exception it is: what a signal handler raised goes on into the program, wherever it came.

Owns what the last handler raised. A handler of the program may run in the middle of a hook of ours, between
any two of its steps: what it raises there must not be taken for an error of our own and swallowed.
"""

_last = (0, None)


def by_handler(error):
    """Remember what a handler raised, without keeping it alive.

    Args:
        error: the exception.
    """
    global _last
    _last = (id(error), type(error))


def of_handler(error):
    """Say whether an exception that came up in a hook was raised by a signal handler."""
    return (id(error), type(error)) == _last


def is_ours(error):
    """Say whether an exception that came up in a hook is an error of ours: to be swallowed."""
    return isinstance(error, Exception) and not of_handler(error)
