"""One of the processes that compute.

    worker.py DIR LOG SHARE PACE

Takes the pending promises of its share, settles each with the SHA-256 of its
file, and ends when none is left.  Takes at least PACE seconds for a file.

There is no state here that a kill could destroy: what is to be done is what is
pending in the database.
"""

import hashlib
import json
import os
import sys
import time

from database import Database
from worklog import WorkLog

CHUNK_BYTES = 1 << 20

STATE_AFTER = {"resolve": "resolved", "reject": "rejected"}


def digest_of(path):
    """The value of a promise: digest and size of a file."""
    digest = hashlib.sha256()
    size = 0
    with open(path, "rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
    return {"sha256": digest.hexdigest(), "bytes": size}


class Worker:
    """Computes, and settles."""

    def __init__(self, directory, log_path, share, pace_s):
        self._directory = directory
        self._log = WorkLog(log_path)
        self._share = share
        self._pace_s = pace_s
        self._database = Database()
        self._parent = os.getppid()

    def _next_promises(self):
        """Some promises that are left to do; none when all are done."""
        return self._database.query("""
            SELECT id, param
            FROM resonate.search_promises('sha256/*', 'pending', %s)""",
                                    (json.dumps({"share": self._share}),))

    def _compute(self, promise_id, path):
        """Which function to settle with, and the value."""
        self._log.write("compute", promise_id)
        began = time.monotonic()
        try:
            outcome = "resolve", digest_of(os.path.join(self._directory, path))
        except OSError as error:
            outcome = "reject", {"error": error.strerror}
        time.sleep(max(0.0, began + self._pace_s - time.monotonic()))
        return outcome

    def _settle(self, promise_id, function, value):
        """Settles, and again if the answer is lost: the key makes that safe.

        2010 is "settled by this call", 2000 "settled before, with this key".
        """
        repeated = self._database.repeated
        [(status, state)] = self._database.query(f"""
            SELECT status, state
            FROM resonate.{function}(%s, %s, idempotency_key => %s)""",
            (promise_id, json.dumps(value), promise_id))
        if status not in (2010, 2000) or state != STATE_AFTER[function]:
            sys.exit(f"worker {self._share}: settling {promise_id!r} was "
                     f"answered {status}, and it is {state}")
        if self._database.repeated > repeated:
            self._log.write("repeat", promise_id, status=status)

    def run(self):
        """Works until nothing is left, or nobody waits for it any more."""
        while promises := self._next_promises():
            for promise_id, param in promises:
                if os.getppid() != self._parent:
                    sys.exit(f"worker {self._share}: left alone")
                function, value = self._compute(promise_id, param["path"])
                self._settle(promise_id, function, value)


if __name__ == "__main__":
    Worker(*sys.argv[1:4], float(sys.argv[4])).run()
