"""The append-only log of the workers: what they do, before they do it."""

import json
import os
import time


class WorkLog:
    """A writer; any number of processes may write to the same file."""

    def __init__(self, path):
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND)

    def write(self, event, promise_id, **facts):
        """Adds a line.  One write each, so lines of two processes never mix."""
        record = {"event": event, "id": promise_id, "pid": os.getpid(),
                  "at_ms": time.time_ns() // 1_000_000, **facts}
        os.write(self._file, json.dumps(record).encode() + b"\n")


def read(path):
    """All records, in the order in which they were written."""
    with open(path, encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]
