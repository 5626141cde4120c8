"""A worker that computes digests.

    hasher.py NAME JOURNAL DIR
"""

import hashlib
import os
import random
import sys
import time

from files import to_path
from plan import HASHERS, PACE_MAX_S, PACE_MIN_S
from worker import Worker

CHUNK_BYTES = 1 << 20


def digest_of(path):
    """The SHA-256 of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


class Hasher(Worker):
    """Fulfills a task with the digests of the files that are its parameter."""

    def __init__(self, name, journal_path, directory):
        super().__init__(name, HASHERS, journal_path)
        self._directory = os.fsencode(directory)

    def execute(self, task):
        """Takes its time, for there to be a story."""
        names = task.param["files"]
        digests = {}
        began = time.monotonic()
        pace_s = random.uniform(PACE_MIN_S, PACE_MAX_S)
        for number, name in enumerate(names, 1):
            try:
                digests[name] = digest_of(os.path.join(self._directory,
                                                       to_path(name)))
            except OSError as error:
                # Files that disappear have no place in a comparison.
                self.fulfill(task, "rejected",
                             {"file": name, "error": error.strerror})
                return
            until = began + pace_s * number / len(names)
            time.sleep(max(0.0, until - time.monotonic()))
        self.fulfill(task, "resolved", digests)


if __name__ == "__main__":
    Hasher(*sys.argv[1:]).run()
