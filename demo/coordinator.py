"""The worker that executes the root task.

    coordinator.py NAME JOURNAL LIST

It never waits.  Each execution sees how far things have come, does what can be
done, and ends: with the task suspended until there is more, or fulfilled.
"""

import json
import sys

from files import load
from plan import CHILD_PREFIX, COORDINATORS, HASHERS, WINDOW, child_id
from worker import Worker


class Coordinator(Worker):
    """Has the children of the root executed, and puts their results together.

    The list was written once and for all, so all executions agree about what
    the children are.
    """

    def __init__(self, name, journal_path, list_path):
        super().__init__(name, COORDINATORS, journal_path)
        self._params = {child_id(number): {"files": names}
                        for number, names in enumerate(load(list_path), 1)}

    def execute(self, task):
        """One step of the root, or more if children settle meanwhile."""
        while True:
            children = {promise_id: (state, value) for promise_id, state, value,
                        _ in self.database.search(CHILD_PREFIX + "*")}
            failed = [value for state, value in children.values()
                      if state not in ("pending", "resolved")]
            if failed:
                self.fulfill(task, "rejected", failed[0])
                return
            pending = sorted(promise_id for promise_id, (state, _)
                             in children.items() if state == "pending")
            missing = sorted(self._params.keys() - children.keys())
            wanted = missing[:WINDOW - len(pending)]
            if not pending and not wanted:
                self.fulfill(task, "resolved", self._manifest(children))
                return
            if not all(self._create(task, child) for child in wanted):
                return
            if not self._suspend(task, pending + wanted,
                                 len(children) - len(pending), len(wanted)):
                return

    def _manifest(self, children):
        """The digests of all files."""
        return {name: digest for _, digests in children.values()
                for name, digest in digests.items()}

    def _create(self, task, child):
        """Creates a child, in proof of the lease; answers whether it is held.

        A task that was given to another must not have new children.
        """
        promise = {"id": child,
                   "timeout": "1 day",
                   "param": self._params[child],
                   "tags": {"resonate:target": HASHERS,
                            "resonate:parent": task.id},
                   "idempotency_key": task.id}
        [(status, inner_status)] = self.database.query("""
            SELECT status, inner_status
            FROM resonate.fence_task(%s, %s, 'create', %s)""",
            (task.id, task.version, json.dumps(promise)))
        if status != 2000:
            self.journal.write("fenced", id=task.id, version=task.version,
                               child=child, status=status)
            return False
        # 2000 is the answer to a repetition.
        if inner_status not in (2010, 2000):
            sys.exit(f"coordinator: creating {child!r} was answered "
                     f"{inner_status}")
        self.journal.write("created", id=child)
        return True

    def _suspend(self, task, awaited, done, created):
        """Gives the task up until a child settles, or answers that one has."""
        [(status, version)] = self.database.query("""
            SELECT status, version
            FROM resonate.suspend_task(%s, %s, %s)""",
            (task.id, task.version, awaited))
        if status == 3000:
            return True
        if status == 2000:
            self.journal.write("suspended", id=task.id, version=version,
                               done=done, total=len(self._params),
                               created=created, awaited=len(awaited))
        else:
            self.journal.write("unsuspended", id=task.id, status=status)
        return False


if __name__ == "__main__":
    Coordinator(*sys.argv[1:]).run()
