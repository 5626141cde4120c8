"""A process that executes tasks: what coordinator and hashers have in common.

There is no state here that a kill could destroy.  A worker is told of a task,
acquires it, and holds it as long as its heartbeats arrive; when they do not,
the task is offered to another.
"""

import json
import os
import threading
import time
from dataclasses import dataclass

from database import Database
from journal import Journal
from plan import HEARTBEAT_S, LEASE_S

# A notification can be missed, so look now and then without one.
POLL_S = 1.0


@dataclass
class Task:
    """A task that this process has acquired."""

    id: str
    version: int
    param: dict


class Heart(threading.Thread):
    """Renews the lease of the task that is held, while others things happen.

    It does not tell when a lease is lost: that another works on the task may
    be known a moment too late in any case.  What protects the task is its
    version, which every change under the lease has to present.
    """

    def __init__(self, name, journal):
        super().__init__(daemon=True)
        self._pid = name
        self._journal = journal
        self._database = Database()
        self._parent = os.getppid()
        self.held = None

    def run(self):
        """Beats until the process ends, or nobody waits for it any more."""
        while True:
            time.sleep(HEARTBEAT_S)
            if os.getppid() != self._parent:
                os._exit(1)
            task = self.held
            if task is not None:
                self._beat(task)

    def _beat(self, task):
        asked_at = time.time()
        [(renewed,)] = self._database.query(
            "SELECT resonate.heartbeat_tasks(%s, %s, %s)",
            (self._pid, [task.id], [task.version]))
        if renewed:
            self._journal.write("renewed", id=task.id, version=task.version,
                                asked_at=asked_at)


class Worker:
    """Executes the tasks of an address, one at a time.

    A subclass has execute(), which is called with a task that was acquired.
    """

    def __init__(self, name, address, journal_path):
        self.name = name
        self.journal = Journal(journal_path, name)
        self.database = Database(address)
        self._address = address
        self._heart = Heart(name, self.journal)

    def run(self):
        """Works until it is ended."""
        self._heart.start()
        while True:
            offers = self.database.query("""
                SELECT task_id, version
                FROM resonate.dequeue_execute(%s, "limit" => 1)""",
                                         (self._address,))
            for task_id, version in offers:
                self._take(task_id, version)
            if not offers:
                self.database.wait(POLL_S)

    def _take(self, task_id, version):
        """Acquires a task and executes it, unless another was faster.

        Were the answer lost with the server, the repetition finds the task
        acquired.  That lease ends without ever having been used.
        """
        asked_at = time.time()
        [(status, version, param)] = self.database.query("""
            SELECT status, version, param
            FROM resonate.acquire_task(%s, %s, pid => %s, ttl => %s)""",
            (task_id, version, self.name, f"{LEASE_S} s"))
        if status != 2000:
            self.journal.write("missed", id=task_id, status=status)
            return
        self.journal.write("acquired", id=task_id, version=version,
                           asked_at=asked_at)
        task = Task(task_id, version, param)
        self._heart.held = task
        try:
            self.execute(task)
        finally:
            self._heart.held = None

    def fulfill(self, task, state, value):
        """Settles the promise of a task, if this process still holds that.

        If the answer to a first attempt was lost, the second is refused
        because the first was not.  No version is given out twice, so a task
        that was fulfilled in this one was fulfilled here.
        """
        repeated = self.database.repeated
        [(status, task_state, version)] = self.database.query("""
            SELECT status, task_state, version
            FROM resonate.fulfill_task(%s, %s, %s, %s)""",
            (task.id, task.version, state, json.dumps(value)))
        is_repeated = self.database.repeated > repeated
        is_stored_before = is_repeated and status == 4090 and (
            (task_state, version) == ("fulfilled", task.version))
        facts = {"id": task.id, "version": task.version, "state": state,
                 "status": status, "repeated": is_repeated}
        if status == 2000 or is_stored_before:
            self.journal.write("fulfilled", **facts)
        else:
            self.journal.write("refused", **facts, now_state=task_state,
                               now_version=version)

    def execute(self, task):
        """Does the work of a task, and fulfills or suspends it."""
        raise NotImplementedError
