"""The append-only journal of all processes: what they did, and when.

What is in it does not come from the database, so the two can be compared.
"""

import json
import os
import time


class Journal:
    """A writer; any number of processes may write to the same file."""

    def __init__(self, path, who):
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT,
                             0o600)
        self._who = who

    def write(self, event, **facts):
        """Adds a line.  One write each, so lines of two processes never mix."""
        record = {"at": time.time(), "who": self._who, "event": event, **facts}
        os.write(self._file, json.dumps(record).encode() + b"\n")


class Reader:
    """Follows a journal while it grows, and remembers everything."""

    def __init__(self, path):
        self._stream = open(path, encoding="utf-8")
        self._rest = ""
        self.records = []

    def read(self):
        """What has been added since the last time."""
        *lines, self._rest = (self._rest + self._stream.read()).split("\n")
        added = [json.loads(line) for line in lines]
        self.records += added
        return added

    def find(self, event, **facts):
        """The records of an event that have these facts, in their order."""
        return [record for record in self.records
                if record["event"] == event and
                all(record.get(name) == fact for name, fact in facts.items())]
