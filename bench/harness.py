"""What every section of the benchmark measures with: databases and pgbench."""

import dataclasses
import glob
import itertools
import os
import re
import statistics
import subprocess

import psycopg2

HERE = os.path.dirname(os.path.abspath(__file__))

# What takes part in a reset.
SCHEMAS = ["resonate", "plain"]

# How often a reset gives way to a step of the background worker, which locks
# the same tables one after the other.
RESET_ATTEMPTS = 10


class BenchError(Exception):
    """A measurement that means nothing, because something went wrong."""


@dataclasses.dataclass
class PgbenchResult:
    """What pgbench printed, and logged if asked to."""

    run: int
    tps: float
    latency_ms: float
    processed: int
    failed: int
    # (when the transaction ended in seconds since the epoch, its latency in
    # microseconds), in order of time.  With a rate, the latency counts from
    # when the transaction was due.
    log_lines: list


@dataclasses.dataclass
class Paired:
    """Figures of two sides that took turns, and their ratios b/a."""

    a: list
    b: list

    @property
    def ratios(self):
        """One for each pair."""
        return [b / a for a, b in zip(self.a, self.b)]

    @property
    def min(self):
        """The worst pair."""
        return min(self.ratios)

    @property
    def median(self):
        """What counts."""
        return statistics.median(self.ratios)

    @property
    def max(self):
        """The best pair."""
        return max(self.ratios)


def find_number(pattern, text):
    """The number in the first line that matches; fails without one."""
    match = re.search(pattern, text, re.MULTILINE)
    if match is None:
        raise BenchError(f"pgbench printed no {pattern!r}:\n{text}")
    return float(match[1])


def parse_summary(run, text):
    """A PgbenchResult without a log, from what pgbench printed."""
    return PgbenchResult(
        run=run,
        tps=find_number(r"^tps = ([0-9.]+)", text),
        latency_ms=find_number(r"^latency average = ([0-9.]+) ms", text),
        processed=int(find_number(
            r"^number of transactions actually processed: (\d+)", text)),
        failed=int(find_number(
            r"^number of failed transactions: (\d+)", text)),
        log_lines=[])


def read_logs(prefix):
    """The lines of all log files with that prefix, which are removed."""
    lines = []
    for path in glob.glob(glob.escape(prefix) + ".*"):
        with open(path, encoding="ascii") as log:
            for line in log:
                fields = line.split()
                lines.append((int(fields[4]) + int(fields[5]) / 1e6,
                              int(fields[2])))
        os.remove(path)
    lines.sort()
    return lines


class Bench:
    """The server under test, and how long to look at it.

    The environment says how to reach the server (PGHOST and so on), as a
    superuser.  Methods that take a database mean that of the environment
    without one.
    """

    def __init__(self, workdir, figures_dir, quick=False):
        self.quick = quick
        self.pairs = 2 if quick else 5
        self.seconds = 1 if quick else 4
        self.workdir = workdir
        self.figures_dir = figures_dir
        self.report = None
        self._runs = itertools.count(1)

    def connect(self, database=None):
        """A new connection, each statement a transaction of its own."""
        connection = psycopg2.connect(dbname=database or "")
        connection.autocommit = True
        return connection

    def query(self, statement, arguments=None, database=None):
        """The rows that one statement answers, or none."""
        connection = self.connect(database)
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement, arguments)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def prepare(self, database=None):
        """Makes the extension and its plain counterpart; makes the database
        as well, if one is named.
        """
        if database is not None:
            self.query(f'CREATE DATABASE "{database}"')
        self.query("CREATE EXTENSION resonate", database=database)
        with open(os.path.join(HERE, "baseline.sql"),
                  encoding="utf-8") as script:
            self.query(script.read(), database=database)

    def reset(self, database=None):
        """Empties every table of the extension and its counterparts."""
        [(tables,)] = self.query("""
            SELECT string_agg(oid::regclass::text, ', ')
            FROM pg_catalog.pg_class
            WHERE relkind = 'r' AND relnamespace::regnamespace::text = ANY (%s)
            """, (SCHEMAS,), database)
        for attempt in range(1, RESET_ATTEMPTS + 1):
            try:
                self.query(f"TRUNCATE {tables}", database=database)
                break
            except psycopg2.errors.DeadlockDetected:
                if attempt == RESET_ATTEMPTS:
                    raise
        self.checkpoint()

    def checkpoint(self):
        """Writes everything out, so that nobody pays for what was before."""
        self.query("CHECKPOINT")

    def pgbench(self, script, clients, seconds=None, transactions=None,
                variables=None, rate=None, log=False, jobs=None,
                sampling=None, database=None, settings=None):
        """Runs a script with so many clients; fails if any of them did.

        For so many seconds (those of the benchmark, if nothing is given), or
        until each client has run so many transactions.  rate is that of all
        clients together, sampling the part of the transactions that is logged;
        settings are those of the sessions.
        The script can use the variables given, run (a number that no other
        call has), client_id, and i, which is 0 at the start of each client.
        """
        run = next(self._runs)
        arguments = ["-c", str(clients),
                     "-j", str(jobs or min(clients, os.cpu_count()))]
        if transactions is not None:
            arguments += ["-t", str(transactions)]
        else:
            arguments += ["-T", str(seconds or self.seconds)]
        for name, value in {"run": run, "i": 0, **(variables or {})}.items():
            arguments += ["-D", f"{name}={value}"]
        if rate is not None:
            arguments += ["-R", str(rate)]
        prefix = os.path.join(self.workdir, f"pgbench-{run}.log")
        if log:
            arguments += ["-l", f"--log-prefix={prefix}",
                          f"--sampling-rate={sampling or 1}"]
        if database is not None:
            arguments.append(database)
        result = parse_summary(
            run, self._run_pgbench(script, run, arguments, settings or {}))
        if result.failed or not result.processed:
            raise BenchError(f"pgbench counted {result.processed} processed "
                             f"and {result.failed} failed transactions of:\n"
                             f"{script}")
        if log:
            result.log_lines = read_logs(prefix)
        return result

    def _run_pgbench(self, script, run, arguments, settings):
        """What pgbench printed; fails if it did, as when a client aborts."""
        path = os.path.join(self.workdir, f"pgbench-{run}.sql")
        with open(path, "w", encoding="utf-8") as file:
            file.write(script)
        options = " ".join(f"-c {name}={value}" for name, value
                           in settings.items())
        done = subprocess.run(["pgbench", "-n", "-M", "prepared", "-f", path,
                               *arguments], stdout=subprocess.PIPE, text=True,
                              stderr=subprocess.PIPE, check=False,
                              env={**os.environ, "PGOPTIONS": options})
        os.remove(path)
        if done.returncode != 0:
            raise BenchError(f"pgbench failed:\n{script}\n{done.stderr}")
        return done.stdout

    def paired(self, measure_a, measure_b, pairs=None):
        """Lets two functions, which answer a figure each, take turns.

        A checkpoint comes before each, so that both pay for first writes to
        pages.
        """
        paired = Paired([], [])
        for _ in range(pairs or self.pairs):
            self.checkpoint()
            paired.a.append(measure_a())
            self.checkpoint()
            paired.b.append(measure_b())
        return paired
