"""A database session that survives crashes of the server."""

import select
import time

import psycopg2
from psycopg2.extensions import quote_ident

from plan import PATIENCE_S

RETRY_S = 0.05


def means_lost_connection(error):
    """Whether the server has gone, for which psycopg2 has no one class.

    Without an SQLSTATE the error is not the server's; 57P is its shutdown.
    """
    return ((isinstance(error, (psycopg2.OperationalError,
                                psycopg2.InterfaceError)) or
             type(error) is psycopg2.DatabaseError) and
            (error.pgcode is None or error.pgcode.startswith("57P")))


def connect_patiently():
    """A new connection as soon as there is a server.

    Every statement on it is a transaction of its own.
    """
    give_up_at = time.monotonic() + PATIENCE_S
    while True:
        try:
            connection = psycopg2.connect("")
            connection.autocommit = True
            return connection
        except psycopg2.OperationalError:
            if time.monotonic() > give_up_at:
                raise
            time.sleep(RETRY_S)


class Database:
    """Runs statements, again if need be, until there is an answer.

    When a connection breaks, nobody can know whether the last statement was
    committed.  So whoever uses this class has to be ready for the answer to a
    repetition; repeated tells that there was one.

    With the address of a worker, it also hears when that has something to do.
    """

    def __init__(self, address=None):
        self._address = address
        self._connection = None
        self.repeated = 0

    def query(self, statement, arguments=None):
        """The rows that a statement answers."""
        give_up_at = time.monotonic() + PATIENCE_S
        while True:
            try:
                if self._connection is None:
                    self._connect()
                with self._connection.cursor() as cursor:
                    cursor.execute(statement, arguments)
                    return cursor.fetchall()
            except psycopg2.Error as error:
                if (not means_lost_connection(error) or
                        time.monotonic() > give_up_at):
                    raise
                self._disconnect()
                self.repeated += 1

    def search(self, pattern):
        """Every promise that matches, page by page."""
        cursor = None
        while True:
            rows = self.query("""
                SELECT id, state, value,
                       extract(epoch FROM created_at)::float8, cursor
                FROM resonate.search_promises(%s, cursor => %s)""",
                              (pattern, cursor))
            for row in rows:
                yield row[:4]
            cursor = rows[-1][4] if rows else None
            if cursor is None:
                return

    def wait(self, timeout_s):
        """Whether something was notified before the time was over.

        A notification reaches who listens at that moment and nobody else.  So
        what was lost with a connection counts as notified: look, after
        listening again.
        """
        if self._connection is None:
            return True
        if not self._connection.notifies:
            # What wakes this need not be a notification.
            select.select([self._connection], [], [], timeout_s)
            try:
                self._connection.poll()
            except psycopg2.Error:
                self._disconnect()
                return True
        is_notified = bool(self._connection.notifies)
        self._connection.notifies.clear()
        return is_notified

    def _connect(self):
        connection = connect_patiently()
        if self._address is not None:
            with connection.cursor() as cursor:
                cursor.execute("SELECT resonate.outbox_channel(%s)",
                               (self._address,))
                [channel] = cursor.fetchone()
                cursor.execute(f"LISTEN {quote_ident(channel, connection)}")
        self._connection = connection

    def _disconnect(self):
        if self._connection is not None:
            self._connection.close()
            self._connection = None
