"""How the demonstration ends when it does not come true."""


class Failure(Exception):
    """The demonstration did not show what it set out to show."""


def some(names):
    """A few of many names, for a message."""
    names = sorted(names)
    return ", ".join(map(repr, names[:3])) + (", ..." if names[3:] else "")
