"""The client that waits for completions."""

import json
import select
import time

import psycopg2

from database import connect_patiently

CHANNEL = "demo_done"


class ConnectionLost(Exception):
    """The server has gone; what it announces now is missed."""


class Listener:
    """Receives NOTIFYs.

    They reach who listens at that moment and nobody else.  So after
    connecting, first listen and only then look at what is settled already:
    whatever settles between the two is both seen and announced.
    """

    def __init__(self):
        self._connection = connect_patiently()
        with self._connection.cursor() as cursor:
            cursor.execute(f"LISTEN {CHANNEL}")

    def wait(self, timeout_s):
        """When something arrived, and the ids and states that it announces."""
        give_up_at = time.monotonic() + timeout_s
        while True:
            # What comes need not be a notification.
            left_s = max(0.0, give_up_at - time.monotonic())
            readable, _, _ = select.select([self._connection], [], [], left_s)
            arrived_at = time.time()
            promises = self._take() if readable else []
            if promises or not readable:
                return arrived_at, promises

    def _take(self):
        """What the notifications that have arrived announce."""
        try:
            self._connection.poll()
        except psycopg2.Error as error:
            raise ConnectionLost from error
        promises = [json.loads(notify.payload)["promise"]
                    for notify in self._connection.notifies]
        self._connection.notifies.clear()
        return [(promise["id"], promise["state"]) for promise in promises]
