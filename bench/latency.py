"""How soon those who listen are told, and how late deadlines are kept."""

import json
import math
import os
import random
import select
import time

import plot
from harness import BenchError

TITLE = "Latency"

CHANNEL = "bench_latency"
ADDRESS = "notify://" + CHANNEL

# How long a notification may take before it counts as lost.
PATIENCE_S = 60

# Between two trials the background worker finds out that nothing is due, and
# falls asleep; not for the same time each, or a trial could keep in step with
# something else.
PAUSE_S = (0.01, 0.02)

# How many promises are created at once for the burst of deadlines.
BATCH = 10_000

# How long before its deadlines the burst must be stored, and how long creating
# it is expected to take at first.
MARGIN_S = 2
FIRST_LEAD_S = 15

# How often to look whether it is over.
POLL_S = 0.01

TELL_TARGET_MS = (2, 10)
BURST_TARGET_S = 5
LATENESS_TARGET_MS = 20


def percentile(values, part):
    """The smallest of the values that so large a part of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(part * len(ordered)) - 1)]


def summary_ms(values):
    """The cells of a table on durations in milliseconds."""
    return [f"{value:.2f}" for value in
            (percentile(values, 0.5), percentile(values, 0.9),
             percentile(values, 0.99), max(values))]


class Listener:
    """A session that hears what is sent on the channel."""

    def __init__(self, bench):
        self._connection = bench.connect()
        with self._connection.cursor() as cursor:
            cursor.execute(f"LISTEN {CHANNEL}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._connection.close()

    def hear(self):
        """Waits until there is news; answers which promises were settled."""
        give_up_at = time.monotonic() + PATIENCE_S
        while not self._connection.notifies:
            left_s = give_up_at - time.monotonic()
            if left_s < 0 or not select.select([self._connection], [], [],
                                               left_s)[0]:
                raise BenchError("a notification did not come")
            self._connection.poll()
        payloads = [notify.payload for notify in self._connection.notifies]
        self._connection.notifies.clear()
        return [json.loads(payload)["promise"] for payload in payloads]


def tell_once(cursor, listener, promise_id):
    """Settles a promise; answers for how long the listener had to wait, in
    milliseconds after and since before the call.
    """
    cursor.execute("""
        SELECT status
        FROM resonate.create_promise_and_callback(%s, 'bench', %s, '1 hour')
        """, (promise_id, ADDRESS))
    time.sleep(random.uniform(*PAUSE_S))
    called_at = time.perf_counter()
    cursor.execute("EXECUTE settle (%s)", (promise_id,))
    returned_at = time.perf_counter()
    promises = listener.hear()
    heard_at = time.perf_counter()
    if [promise["id"] for promise in promises] != [promise_id]:
        raise BenchError(f"heard of {promises} instead of {promise_id}")
    return ((heard_at - returned_at) * 1000, (heard_at - called_at) * 1000)


def tell(bench):
    """From a commit to the notification, on an idle system."""
    bench.reset()
    trials = 50 if bench.quick else 1000
    connection = bench.connect()
    with connection.cursor() as cursor, Listener(bench) as listener:
        cursor.execute("PREPARE settle AS SELECT status FROM "
                       "resonate.resolve($1, '{\"done\": true}')")
        pairs = [tell_once(cursor, listener, f"tell-{number}")
                 for number in range(trials)]
    connection.close()
    after, whole = zip(*pairs)
    report_tell(bench, after, whole)


def report_tell(bench, after, whole):
    """Prints what tell() has found."""
    report = bench.report
    p50, p99 = percentile(after, 0.5), percentile(after, 0.99)
    report.figure_row(
        "commit to NOTIFY received, idle system",
        f"p50 {p50:.2f} ms, p99 {p99:.2f} ms",
        f"p50 < {TELL_TARGET_MS[0]} ms, p99 < {TELL_TARGET_MS[1]} ms",
        p50 < TELL_TARGET_MS[0] and p99 < TELL_TARGET_MS[1])
    report.text(f"""
        One session resolves a promise that has a callback to a notify
        address, another one listens there; {len(after)} times, in
        milliseconds. A notification that is there before the first session
        has its answer counts from that answer.""")
    report.table(["until the notification was received", "p50", "p90", "p99",
                  "max"],
                 [["after resolve had returned", *summary_ms(after)],
                  ["since resolve was called", *summary_ms(whole)]])
    plot.histogram(os.path.join(bench.figures_dir, "latency-notify.svg"),
                   after, "ms from the return of resolve to the notification",
                   [(p50, f"p50 {p50:.2f}"), (p99, f"p99 {p99:.2f}")])
    report.figure("latency-notify.svg", "From commit to NOTIFY received")


def create_burst(cursor, count, deadline_ms):
    """Creates promises that all have the same deadline."""
    for first in range(0, count, BATCH):
        items = [{"id": f"burst-{number}", "timeout_at": deadline_ms}
                 for number in range(first, min(first + BATCH, count))]
        cursor.execute("SELECT count(*) FROM resonate.create_promises(%s)",
                       (json.dumps(items),))


def store_burst(bench, cursor, count):
    """Creates the promises in time; answers their deadline."""
    lead_s = FIRST_LEAD_S
    while True:
        bench.reset()
        deadline_ms = int((time.time() + lead_s) * 1000)
        create_burst(cursor, count, deadline_ms)
        if time.time() < deadline_ms / 1000 - MARGIN_S:
            return deadline_ms
        lead_s *= 2


def burst_once(bench, cursor, count):
    """For how long after their deadline promises are stored as pending."""
    deadline_ms = store_burst(bench, cursor, count)
    time.sleep(deadline_ms / 1000 - time.time())
    while True:
        cursor.execute("""
            SELECT EXISTS (SELECT FROM resonate.promises
                           WHERE state = 'pending')""")
        [is_pending] = cursor.fetchone()
        elapsed_s = time.time() - deadline_ms / 1000
        if not is_pending:
            break
        if elapsed_s > PATIENCE_S:
            raise BenchError(f"promises are pending {PATIENCE_S} s after "
                             f"their deadline")
        time.sleep(POLL_S)
    cursor.execute("""
        SELECT count(*) FROM resonate.promises
        WHERE state = 'rejected_timedout' AND settled_at = %s""",
                   (deadline_ms,))
    [settled] = cursor.fetchone()
    if settled != count:
        raise BenchError(f"{settled} of {count} promises were timed out")
    return elapsed_s


def burst(bench):
    """Many deadlines at one instant, kept by the background worker alone."""
    count = 5_000 if bench.quick else 100_000
    connection = bench.connect()
    with connection.cursor() as cursor:
        times_s = [burst_once(bench, cursor, count)
                   for _ in range(1 if bench.quick else 3)]
        cursor.execute("SHOW max_locks_per_transaction")
        [locks] = cursor.fetchone()
    connection.close()
    bench.report.figure_row(
        f"{count:,} deadlines at one instant",
        f"all settled after {max(times_s):.2f} s (the worst of "
        f"{len(times_s)})",
        f"< {BURST_TARGET_S} s", max(times_s) < BURST_TARGET_S)
    bench.report.text(f"""
        {count:,} promises with the same deadline, which nobody looks at:
        after {", ".join(f"{seconds:.2f}" for seconds in times_s)} s none was
        stored as pending any more (max_locks_per_transaction = {locks}).""")


def create_timers(cursor, count, span_s):
    """Creates promises with deadlines at random; answers these, in seconds
    since the epoch.
    """
    start_s = time.time() + 2
    deadlines_s = {}
    for number in range(count):
        promise_id = f"late-{number}"
        cursor.execute("""
            SELECT extract(epoch FROM timeout_at)::float8
            FROM resonate.create_promise_and_callback(
                %s, 'bench', %s, timeout_at => to_timestamp(%s))""",
                       (promise_id, ADDRESS,
                        start_s + random.uniform(0, span_s)))
        [deadlines_s[promise_id]] = cursor.fetchone()
    if time.time() > min(deadlines_s.values()):
        raise BenchError("the first deadline passed before the last promise "
                         "was created")
    return deadlines_s


def lateness(bench):
    """From a deadline to the notification about it, on an idle system."""
    bench.reset()
    count, span_s = (60, 6) if bench.quick else (300, 30)
    connection = bench.connect()
    late_ms = []
    with connection.cursor() as cursor, Listener(bench) as listener:
        deadlines_s = create_timers(cursor, count, span_s)
        while deadlines_s:
            promises = listener.hear()
            now_s = time.time()
            for promise in promises:
                late_ms.append(
                    (now_s - deadlines_s.pop(promise["id"])) * 1000)
                if promise["state"] != "rejected_timedout":
                    raise BenchError(f"a promise ended as {promise['state']}")
    connection.close()
    report_lateness(bench, late_ms, span_s)


def report_lateness(bench, late_ms, span_s):
    """Prints what lateness() has found."""
    report = bench.report
    p50, p99 = percentile(late_ms, 0.5), percentile(late_ms, 0.99)
    report.figure_row("deadline lateness, idle system", f"p99 {p99:.2f} ms",
                      f"p99 < {LATENESS_TARGET_MS} ms",
                      p99 < LATENESS_TARGET_MS)
    report.text(f"""
        {len(late_ms)} promises with deadlines at random within {span_s} s,
        each with a callback to a notify address: milliseconds from the
        deadline until the notification was received, so both the settlement
        and the delivery have been committed by then.""")
    report.table(["", "p50", "p90", "p99", "max"],
                 [["lateness", *summary_ms(late_ms)]])
    plot.histogram(os.path.join(bench.figures_dir, "latency-deadline.svg"),
                   late_ms, "ms from the deadline to the notification",
                   [(p50, f"p50 {p50:.2f}"), (p99, f"p99 {p99:.2f}")])
    report.figure("latency-deadline.svg", "Lateness of deadlines")


def run(bench):
    """The section."""
    tell(bench)
    lateness(bench)
    burst(bench)
