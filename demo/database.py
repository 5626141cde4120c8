"""A database session that survives crashes of the server."""

import time

import psycopg2

PATIENCE_S = 60.0
RETRY_S = 0.05


def connect():
    """A new connection, in which every statement is its own transaction."""
    connection = psycopg2.connect("")
    connection.autocommit = True
    return connection


def means_lost_connection(error):
    """Whether the server has gone, for which psycopg2 has no one class.

    Without an SQLSTATE the error is not the server's; 57P is its shutdown.
    """
    return ((isinstance(error, (psycopg2.OperationalError,
                                psycopg2.InterfaceError)) or
             type(error) is psycopg2.DatabaseError) and
            (error.pgcode is None or error.pgcode.startswith("57P")))


def connect_patiently():
    """A new connection as soon as there is a server."""
    give_up_at = time.monotonic() + PATIENCE_S
    while True:
        try:
            return connect()
        except psycopg2.OperationalError:
            if time.monotonic() > give_up_at:
                raise
            time.sleep(RETRY_S)


class Database:
    """Runs statements, again if need be, until there is an answer.

    When a connection breaks, nobody can know whether the last statement was
    committed.  So every statement given to this class must be safe to repeat,
    which is what idempotency keys are for.
    """

    def __init__(self):
        self._connection = None
        self.repeated = 0

    def query(self, statement, arguments=None):
        """The rows that a statement answers."""
        give_up_at = time.monotonic() + PATIENCE_S
        while True:
            if self._connection is None:
                self._connection = connect_patiently()
            try:
                with self._connection.cursor() as cursor:
                    cursor.execute(statement, arguments)
                    return cursor.fetchall()
            except psycopg2.Error as error:
                if (not means_lost_connection(error) or
                        time.monotonic() > give_up_at):
                    raise
                self._connection.close()
                self._connection = None
                self.repeated += 1

    def search(self, pattern, state):
        """Every promise that matches, page by page: id, value, settled_ms."""
        statement = """
            SELECT id, value,
                   (extract(epoch FROM settled_at) * 1000)::bigint, cursor
            FROM resonate.search_promises(%s, %s, cursor => %s)"""
        cursor = None
        while True:
            rows = self.query(statement, (pattern, state, cursor))
            for row in rows:
                yield row[:3]
            cursor = rows[-1][3] if rows else None
            if cursor is None:
                return
