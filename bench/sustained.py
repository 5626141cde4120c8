"""Ten minutes at half of what is possible: does anything grow or slow down?

In the middle third another session holds a snapshot, so that nothing that was
deleted since can be removed.
"""

import collections
import concurrent.futures
import contextlib
import dataclasses
import itertools
import math
import os
import statistics
import threading
import time

import psycopg2.extensions

import plot
from harness import BenchError
from latency import percentile

TITLE = "Sustained load"

CLIENTS = 16
CHANNEL = "bench_sustained"
ADDRESS = "notify://" + CHANNEL
TARGET = '{"resonate:target": "poll://any@bench"}'

# Two lives: of a task, and of a promise with a listener.  What goes wrong must
# not go unnoticed, and what divides by zero does not.
LIVES = """
\\set i :i + 1
SELECT (resonate.create_promise('task-' || :run || '-' || :client_id || '-' ||
                                :i, '1 hour', tags => :target)).status;
SELECT (resonate.acquire_task('task-' || :run || '-' || :client_id || '-' ||
                              :i, 0, 'bench', '1 min')).status;
SELECT (resonate.fulfill_task('task-' || :run || '-' || :client_id || '-' ||
                              :i, 1, 'resolved', '{"done": true}')).status
    AS fulfilled
\\gset
SELECT (resonate.create_promise_and_callback(
    'call-' || :run || '-' || :client_id || '-' || :i, 'bench', :address,
    '1 hour')).status;
SELECT (resonate.resolve('call-' || :run || '-' || :client_id || '-' || :i,
                         '{"done": true}')).status AS resolved
\\gset
\\if :fulfilled <> 2000 or :resolved <> 2010
SELECT 1 / 0;
\\endif
"""

# Those of the server that matter here are its defaults again.  What is settled
# is kept for so short a time that there is as much to delete as to store,
# soon after the start.
SETTINGS = {
    "resonate.retention": "60 s",
    "checkpoint_timeout": "5 min",
    "max_wal_size": "1 GB",
}

# How much of the load comes before what is measured.  A new database has neither
# anything to vacuum or to prune nor checkpoints.
WARM_UP = 1 / 3

# How often the listener looks; rarely, to leave the processor to others.
LISTEN_S = 0.1
PATIENCE_S = 60

# A trend is what is both larger than this and hardly by chance.
TREND_RATIO = 1.10
TREND_CHANCE = 0.01

# How much larger the tables may be at the end than when the snapshot was let
# go: it takes autovacuum up to a minute to notice, and then to work.
GROWTH_RATIO = 1.25


@dataclasses.dataclass
class Look:
    """How large what was at some time."""

    rows: dict
    dead: dict
    bytes: dict


@contextlib.contextmanager
def changed_settings(bench):
    """Has the server run with SETTINGS for a while."""
    try:
        for name, value in SETTINGS.items():
            bench.query(f"ALTER SYSTEM SET {name} = '{value}'")
        bench.query("SELECT pg_reload_conf()")
        yield
    finally:
        for name in SETTINGS:
            bench.query(f"ALTER SYSTEM RESET {name}")
        bench.query("SELECT pg_reload_conf()")


def look(bench):
    """The state of the tables of the extension and their indexes."""
    tables = bench.query("""
        SELECT relname, n_live_tup, n_dead_tup,
               pg_total_relation_size(relid)
        FROM pg_catalog.pg_stat_all_tables WHERE schemaname = 'resonate'""")
    indexes = bench.query("""
        SELECT indexrelname, pg_relation_size(indexrelid)
        FROM pg_catalog.pg_stat_all_indexes WHERE schemaname = 'resonate'""")
    return Look({name: live for name, live, _, _ in tables},
                {name: dead for name, _, dead, _ in tables},
                {**{name: size for name, _, _, size in tables},
                 **dict(indexes)})


def hold_snapshot(bench, seconds, over):
    """Is what keeps vacuum from removing anything, for so long."""
    connection = bench.connect()
    connection.set_session(
        isolation_level=psycopg2.extensions.ISOLATION_LEVEL_REPEATABLE_READ,
        autocommit=False)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM resonate.schedules")
        over.wait(seconds)
    connection.rollback()
    connection.close()


def observe(bench, seconds, over):
    """Looks at the start, after the warm-up, and after each third, but the
    last; disturbs the second one.
    """
    over.wait(seconds * WARM_UP)
    looks = [look(bench)]
    over.wait(seconds / 3)
    looks.append(look(bench))
    hold_snapshot(bench, seconds / 3, over)
    looks.append(look(bench))
    return looks


def listen(bench, over):
    """Counts the notifications until there will be no more."""
    connection = bench.connect()
    heard = 0
    with connection.cursor() as cursor:
        cursor.execute(f"LISTEN {CHANNEL}")
        while True:
            was_over = over.is_set()
            # Each poll reads no more than a buffer, so go on to the end.
            connection.poll()
            while connection.notifies:
                heard += len(connection.notifies)
                connection.notifies.clear()
                connection.poll()
            if was_over:
                break
            time.sleep(LISTEN_S)
    connection.close()
    return heard


def await_delivery(bench):
    """Waits until no message waits."""
    give_up_at = time.monotonic() + PATIENCE_S
    while bench.query("SELECT FROM resonate.messages LIMIT 1"):
        if time.monotonic() > give_up_at:
            raise BenchError("messages are not delivered")
        time.sleep(LISTEN_S)


def variables():
    """What the script needs."""
    return {"address": ADDRESS, "target": TARGET}


def maximum_rate(bench):
    """How many times a second the script runs at most."""
    bench.reset()
    return bench.pgbench(LIVES, CLIENTS, seconds=3 if bench.quick else 30,
                         variables=variables()).tps


def load(bench, rate, seconds):
    """Runs the load, after what warms it up; answers the log of pgbench without
    that, and what was seen beside.
    """
    bench.reset()
    over = threading.Event()
    with concurrent.futures.ThreadPoolExecutor() as threads:
        hearing = threads.submit(listen, bench, over)
        observing = threads.submit(observe, bench, seconds, over)
        try:
            result = bench.pgbench(LIVES, CLIENTS,
                                   seconds=round(seconds * (1 + WARM_UP)),
                                   rate=rate, variables=variables(),
                                   log=True)
            looks = [*observing.result(), look(bench)]
            await_delivery(bench)
        finally:
            over.set()
        heard = hearing.result()
    if heard != result.processed:
        raise BenchError(f"{heard} of {result.processed} notifications were "
                         f"received")
    start = result.log_lines[0][0] + seconds * WARM_UP
    return [line for line in result.log_lines if line[0] >= start], looks


def bins_of(log_lines, seconds, width):
    """(middle of the bin, transactions a second, p99 in ms) over time."""
    start = log_lines[0][0]
    bins = collections.defaultdict(list)
    for when, latency_us in log_lines:
        bins[int((when - start) / width)].append(latency_us / 1000)
    # An empty bin has no latency; and yet it is the worst of all.
    return [((number + 0.5) * width, len(bins[number]) / width,
             percentile(bins[number], 0.99) if bins[number] else width * 1000)
            for number in range(int(seconds / width))]


def slope(points):
    """The median of the slopes between all pairs of points (Theil and Sen)."""
    return statistics.median((y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2)
                             in itertools.combinations(points, 2))


def chance(points):
    """How likely so much of a trend, up or down, is without there being one
    (Mann and Kendall, with the normal approximation).
    """
    score = sum((y2 > y1) - (y2 < y1) for (_, y1), (_, y2)
                in itertools.combinations(points, 2))
    n = len(points)
    deviation = math.sqrt(n * (n - 1) * (2 * n + 5) / 18)
    return math.erfc(max(0, abs(score) - 1) / deviation / math.sqrt(2))


def report_trend(bench, bins):
    """Says whether p99 grows."""
    third = len(bins) // 3
    parts = [bins[:third], bins[third:-third], bins[-third:]]
    medians = [statistics.median(p99 for _, _, p99 in part) for part in parts]
    # The disturbed part must not count, or it would hide or look like a trend.
    points = [(when, p99) for when, _, p99 in parts[0] + parts[2]]
    per_minute, probability = slope(points) * 60, chance(points)
    ratio = medians[2] / medians[0]
    bench.report.figure_row(
        "sustained: p99 at the end against the start",
        f"{medians[0]:.2f} to {medians[2]:.2f} ms, {ratio:.2f} times",
        "no trend",
        not (per_minute > 0 and probability < TREND_CHANCE and
             ratio > TREND_RATIO))
    bench.report.text(f"""
        Median of p99 in the three parts: {medians[0]:.2f},
        {medians[1]:.2f} and {medians[2]:.2f} ms. Trend over the first and
        the last part: {per_minute:+.3f} ms a minute (Theil and Sen), which
        chance alone would do with a probability of {probability:.2g} (Mann
        and Kendall). It counts if that is below {TREND_CHANCE} and the last
        part more than {TREND_RATIO:.2f} times as slow as the first.""")


def report_sizes(bench, looks):
    """Says what has grown."""
    totals = [sum(at.bytes[name] for name in at.rows) for at in looks]
    shown = [f"{total / 2 ** 20:.1f}" for total in totals]
    bench.report.figure_row(
        "sustained: size at the end",
        f"{shown[3]} MB, after {shown[2]} when the snapshot went",
        f"at most {GROWTH_RATIO} times",
        totals[3] <= GROWTH_RATIO * totals[2])
    bench.report.text(f"""
        Size of all tables and indexes in MB: {shown[0]} after the warm-up,
        {shown[1]} after a third, when the snapshot was taken, {shown[2]}
        after two, when it was released, {shown[3]} at the end. In kB (a table
        includes its indexes), with rows that are alive and dead as the
        statistics have them:""")
    rows = [[name, *(f"{at.bytes[name] / 1024:,.0f}" for at in looks),
             *(f"{at.rows[name]:,} + {at.dead[name]:,}"
               if name in at.rows else "" for at in looks[1:])]
            for name in sorted(looks[3].bytes, key=looks[3].bytes.get,
                               reverse=True)
            if looks[3].bytes[name] != looks[0].bytes[name]]
    bench.report.table(["relation", "start", "1/3", "2/3", "end",
                        "rows at 1/3", "2/3", "end"], rows)


def report_picture(bench, bins, seconds):
    """Shows the load over time."""
    plot.timeline(os.path.join(bench.figures_dir, "sustained.svg"),
                  [("lives/s", [(when, 2 * rate) for when, rate, _ in bins]),
                   ("p99 of two lives, ms", [(when, p99)
                                             for when, _, p99 in bins])],
                  (seconds / 3, 2 * seconds / 3))
    bench.report.figure("sustained.svg",
                        "Throughput and p99; grey: a snapshot is held")


def run(bench):
    """The section."""
    seconds, width = (30, 1) if bench.quick else (600, 5)
    with changed_settings(bench):
        most = maximum_rate(bench)
        bench.report.text(f"""
            {CLIENTS} clients create, acquire and fulfil a task, then create a
            promise with a callback to a notify address and resolve it, in
            five transactions. At most they do this {most:,.0f} times a
            second, so they do it {most / 2:,.0f} times a second for
            {seconds} s, after {round(seconds * WARM_UP)} s to warm up, at
            times that do not depend on how fast the server is; the latency of
            each counts from then. In the middle third another session holds a
            snapshot. Settings:
            {", ".join(" = ".join(pair) for pair in SETTINGS.items())},
            autovacuum as by default. Every notification was received.""")
        log_lines, looks = load(bench, round(most / 2), seconds)
    bins = bins_of(log_lines, seconds, width)
    report_picture(bench, bins, seconds)
    report_trend(bench, bins)
    report_sizes(bench, looks)
