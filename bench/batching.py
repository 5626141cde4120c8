"""One by one or in batches: an experiment that was published elsewhere."""

import json
import statistics
import time

import paths
from harness import BenchError

TITLE = "Batching"

COUNTS = (10_000, 50_000, 100_000)
QUICK_COUNTS = (1_000, 2_000)

# How many promises a client that batches puts into a transaction.
CLIENT_BATCH = 100

# What was published: seconds for 10,000 rows that were only created.  For this
# number, the median of so many rounds counts.
PUBLISHED_COUNT = 10_000
PUBLISHED_S = {"one by one": 3.459524, "batched by the platform": 0.733565}
ROUNDS = 3

# The first part of all ids.
PREFIX = "batching"


def repeated(statement, batch):
    """A script that runs a statement for the next promises: as a transaction
    of its own, or with others in one that is sent without waiting for answers.
    """
    one = f"\\set i :i + 1\n{statement.rstrip().rstrip(';')};\n"
    if batch == 1:
        return one
    return f"\\startpipeline\nBEGIN;\n{one * batch}END;\n\\endpipeline\n"


def by_client(schema, create, settle, batch=1):
    """A way to create and settle promises with statements for one each, so
    many in a transaction.
    """
    def measure(bench, count):
        times_s = []
        for statement in (create, settle):
            done = bench.pgbench(repeated(statement, batch), 1,
                                 transactions=count // batch,
                                 variables={"run": PREFIX})
            times_s.append(done.processed / done.tps)
        return times_s
    return schema, measure


def timed_call(cursor, function, items):
    """The seconds that a batch call takes, with making its argument and
    reading its answers.
    """
    began = time.perf_counter()
    cursor.execute(f"SELECT status, state FROM resonate.{function}(%s)",
                   (json.dumps(items),))
    statuses = [status for status, _ in cursor.fetchall()]
    elapsed_s = time.perf_counter() - began
    if statuses != [2010] * len(items):
        raise BenchError(f"{function} answered {set(statuses)}")
    return elapsed_s


def by_batch_calls(batch=None):
    """A way by the batch functions, so many, or all, in each call."""
    def measure(bench, count):
        to_create = [{"id": f"{PREFIX}-{number}", "timeout": "1 day",
                      "param": {"amount": 250}} for number in range(count)]
        to_settle = [{"id": f"{PREFIX}-{number}", "state": "resolved",
                      "value": {"approved": True}} for number in range(count)]
        connection = bench.connect()
        with connection.cursor() as cursor:
            times_s = [sum(timed_call(cursor, function,
                                      items[first:first + (batch or count)])
                           for first in range(0, count, batch or count))
                       for function, items in (("create_promises", to_create),
                                               ("settle_promises", to_settle))]
        connection.close()
        return times_s
    return "resonate", measure


# What to call it; the schema in which it writes, and how to measure it.
WAYS = {
    "plain SQL, one by one":
        by_client("plain", paths.PLAIN_CREATE, paths.PLAIN_RESOLVE),
    "one by one":
        by_client("resonate", paths.CREATE, paths.RESOLVE),
    f"plain SQL, {CLIENT_BATCH} in a transaction":
        by_client("plain", paths.PLAIN_CREATE, paths.PLAIN_RESOLVE,
                  CLIENT_BATCH),
    f"{CLIENT_BATCH} in a transaction":
        by_client("resonate", paths.CREATE, paths.RESOLVE, CLIENT_BATCH),
    "batch calls of 1,000": by_batch_calls(1_000),
    "one batch call": by_batch_calls(),
}


def measure_once(bench, way, count):
    """Seconds to create and to settle, after which they are all settled."""
    schema, measure = way
    bench.reset()
    times_s = measure(bench, count)
    settled = paths.count(bench, schema, PREFIX, "resolved")
    if settled != count:
        raise BenchError(f"{settled} of {count} promises were settled")
    return times_s


def cells(count, name, create_s, settle_s):
    """A line of the table."""
    whole_s = create_s + settle_s
    return [f"{count:,}", name, f"{create_s:.3f}", f"{settle_s:.3f}",
            f"{whole_s:.3f}", f"{count / create_s:,.0f}",
            f"{count / whole_s:,.0f}"]


def rows_of(bench, count):
    """The lines of the table for so many promises."""
    rows = [[f"{count:,}", f"published: {name}", f"{seconds:.3f}", "", "",
             f"{count / seconds:,.0f}", ""]
            for name, seconds in PUBLISHED_S.items()
            if count == PUBLISHED_COUNT]
    times_s = {name: [] for name in WAYS}
    for _ in range(ROUNDS if count == PUBLISHED_COUNT else 1):
        for name, way in WAYS.items():
            times_s[name].append(measure_once(bench, way, count))
    return rows + [cells(count, name, *map(statistics.median, zip(*times)))
                   for name, times in times_s.items()]


def run(bench):
    """The section."""
    bench.report.text(f"""
        Promises that one client creates and then resolves, in seconds. The
        published figures are for rows that were only created, with SQLite, by
        one thread whose platform formed the batches; so compare them with the
        column on creation, and the gain by batches rather than the seconds.
        One by one means a prepared statement and a transaction each; in
        transactions of {CLIENT_BATCH}, the same statements are pipelined; the
        batch calls include the JSON that goes there and what comes back. For
        {PUBLISHED_COUNT:,} it is the median of {ROUNDS} rounds, for others
        one round.""")
    counts = QUICK_COUNTS if bench.quick else COUNTS
    bench.report.table(
        ["promises", "how", "create, s", "resolve, s", "both, s",
         "created/s", "life cycles/s"],
        [row for count in counts for row in rows_of(bench, count)])
