"""Many clients at the same thing: one awaiter, one promise, one queue."""

import statistics
import time

from harness import BenchError

TITLE = "Contention"

# How many promises are created at once.
BATCH = 10_000

# How long a session of pgbench may take to leave after its last transaction.
PATIENCE_S = 10
POLL_S = 0.02

FAN_IN_CLIENTS = 16
SETTLE_CHILD = """
\\set i :i + 1
SELECT (resonate.resolve('child-' || :client_id || '-' || :i,
                         '{"done": true}')).status;
"""

CROWD = 64
HOT = "'hot'"
OWN = "'own-' || :client_id"

# What several processes do that start the same thing, each in three
# transactions; {0} is the id.
COMMON_LIFE = """
SELECT (resonate.create_promise({0}, '1 hour', idempotency_key => 'a')).status;
SELECT (resonate.get_promise({0})).state;
SELECT (resonate.resolve({0}, '{{"done": true}}',
                         idempotency_key => 'b')).status;
"""

# Everybody goes through the same promises, in the same order.
RACE = """
\\set i :i + 1
SELECT (resonate.resolve('race-' || :i, '{"done": true}')).status AS status
\\gset
\\if :status = 2010
INSERT INTO bench_winners VALUES (:i, :client_id);
\\endif
"""

FEW_WORKERS = 4
MANY_WORKERS = 64
DEQUEUE_TARGET = 0.80
QUEUE = "poll://any@bench"

# A worker: takes one task, and has it done at once.  An aggregate answers also
# when there is no task.
WORK = """
SELECT coalesce(max(task_id), '') AS task,
       coalesce(max(version), -1) AS version
FROM resonate.dequeue_execute(:address, 1)
\\gset
\\set acquired 0
\\set fulfilled 0
\\if :version >= 0
SELECT (resonate.acquire_task(:task, :version, 'worker-' || :client_id,
                              '1 min')).status AS acquired
\\gset
\\set version :version + 1
SELECT (resonate.fulfill_task(:task, :version, 'resolved',
    to_jsonb(CAST(:client_id AS integer)))).status AS fulfilled
\\gset
\\endif
\\if :acquired <> 2000 or :fulfilled <> 2000
INSERT INTO bench_misses VALUES (:client_id, :task, :acquired, :fulfilled);
\\endif
"""


class Watch:
    """Runs pgbench, and counts what was rolled back meanwhile."""

    def __init__(self, bench):
        self._bench = bench
        self.rollbacks = 0
        self.deadlocks = 0

    def pgbench(self, *arguments, **named):
        """As that of the bench; the counters are of the whole database."""
        before = self._counters()
        result = self._bench.pgbench(*arguments, **named)
        self._await_leave()
        after = self._counters()
        self.rollbacks += after[0] - before[0]
        self.deadlocks += after[1] - before[1]
        return result

    def _counters(self):
        [counters] = self._bench.query("""
            SELECT xact_rollback, deadlocks FROM pg_catalog.pg_stat_database
            WHERE datname = current_database()""")
        return counters

    def _await_leave(self):
        """A session has told its counters when it is no longer shown."""
        give_up_at = time.monotonic() + PATIENCE_S
        while self._bench.query("""
                SELECT FROM pg_catalog.pg_stat_activity
                WHERE application_name = 'pgbench'"""):
            if time.monotonic() > give_up_at:
                raise BenchError("a session of pgbench does not end")
            time.sleep(POLL_S)


def expect(actual, expected, what):
    """Fails if something is not as it must be."""
    if actual != expected:
        raise BenchError(f"{what}: {actual} instead of {expected}")


def create_numbered(bench, prefix, count, tags=None):
    """Creates promises whose ids end in 1 to count."""
    for first in range(1, count + 1, BATCH):
        last = min(first + BATCH - 1, count)
        [(created,)] = bench.query("""
            SELECT count(*)
            FROM resonate.create_promises((
                SELECT jsonb_agg(jsonb_build_object(
                    'id', %s || n, 'timeout', '1 hour', 'tags', %s::jsonb))
                FROM generate_series(%s, %s) AS n))
            WHERE status = 2010""", (prefix, tags, first, last))
        expect(created, last - first + 1, "promises created")


def create_root(bench, each):
    """Creates a task that awaits all children, so many for each client."""
    [(status, version)] = bench.query("""
        SELECT status, version
        FROM resonate.create_promise_and_task(
            'root', 'bench', '1 hour', '1 hour', tags => %s)""",
        (f'{{"resonate:target": "{QUEUE}"}}',))
    expect((status, version), (2010, 1), "creating the root")
    children = [f"child-{client}-{number}" for client in range(FAN_IN_CLIENTS)
                for number in range(1, each + 1)]
    [(status,)] = bench.query("""
        SELECT status FROM resonate.suspend_task('root', 1, %s)""",
        (children,))
    expect(status, 2000, "suspending the root")


def settle_children(bench, watch, each, with_root):
    """How many children are settled in a second."""
    bench.reset()
    for client in range(FAN_IN_CLIENTS):
        create_numbered(bench, f"child-{client}-", each)
    if with_root:
        create_root(bench, each)
    bench.checkpoint()
    tps = watch.pgbench(SETTLE_CHILD, FAN_IN_CLIENTS, transactions=each).tps
    if with_root:
        # None of them has woken it twice, and none was lost.
        [(state, version, resumes, awaited)] = bench.query("""
            SELECT task_state, version, resumes,
                   (SELECT count(*) FROM resonate.awaiters)
            FROM resonate.get_task('root')""")
        expect((state, version, resumes, awaited),
               ("pending", 1, FAN_IN_CLIENTS * each, 0), "the root")
    return tps


def fan_in(bench, watch):
    """Clients settle the children of one root, which awaits them all."""
    each = 100 if bench.quick else 1000
    paired = bench.paired(lambda: settle_children(bench, watch, each, False),
                          lambda: settle_children(bench, watch, each, True))
    bench.report.ratio("resolve children that one task awaits",
                       "resolve of as many that nobody awaits",
                       FAN_IN_CLIENTS, paired, None)
    bench.report.text(f"""
        {FAN_IN_CLIENTS} clients settle {FAN_IN_CLIENTS * each:,} children. If
        a suspended task awaits them all, each settlement adds to the count of
        resumes in its row, and so the clients take turns:
        {statistics.median(paired.b):,.0f}/s instead of
        {statistics.median(paired.a):,.0f}/s, a ratio of {paired.median:.2f}
        ({paired.min:.2f} to {paired.max:.2f}). Each time the task was then
        pending, with exactly that many resumes.""")


def live(bench, watch, promise, clients):
    """How many of the lives of COMMON_LIFE there are in a second."""
    bench.reset()
    return watch.pgbench(COMMON_LIFE.format(promise), clients).tps


def race(bench, watch, count):
    """How often in a second somebody tries to settle the same promises."""
    bench.reset()
    create_numbered(bench, "race-", count)
    bench.query("CREATE UNLOGGED TABLE bench_winners (number int, client int)")
    try:
        done = watch.pgbench(RACE, CROWD, transactions=count)
        [(wins, won, winners)] = bench.query("""
            SELECT count(*), count(DISTINCT number), count(DISTINCT client)
            FROM bench_winners""")
    finally:
        bench.query("DROP TABLE bench_winners")
    expect((wins, won), (count, count), "winners, and promises with one")
    expect(done.processed, CROWD * count, "attempts")
    return done.tps, winners


def one_promise(bench, watch):
    """All clients do the same to one promise."""
    rows = []
    for clients in (1, FAN_IN_CLIENTS, CROWD):
        paired = bench.paired(
            lambda clients=clients: live(bench, watch, OWN, clients),
            lambda clients=clients: live(bench, watch, HOT, clients))
        rows.append([str(clients), f"{statistics.median(paired.a):,.0f}",
                     f"{statistics.median(paired.b):,.0f}",
                     f"{paired.min:.2f}", f"{paired.median:.2f}",
                     f"{paired.max:.2f}"])
    bench.report.text("""
        Each client creates, gets and resolves a promise again and again, with
        idempotency keys, in three transactions: one of its own, or the same
        for all.""")
    bench.report.table(["clients", "own promises/s", "same promise/s", "min",
                        "median", "max"], rows)
    count = 50 if bench.quick else 500
    rate, winners = race(bench, watch, count)
    bench.report.text(f"""
        {CROWD} clients race to settle the same {count} promises, one after
        the other: {rate:,.0f} attempts/s, and each promise had exactly one
        winner ({winners} clients won at least once).""")


def load_queue(bench, count):
    """Has so many tasks wait, as in a database that has been up for long."""
    bench.reset()
    create_numbered(bench, "job-", count, f'{{"resonate:target": "{QUEUE}"}}')
    bench.query("VACUUM (ANALYZE) resonate.promises, resonate.tasks")
    bench.checkpoint()


def tasks_done(bench, count, workers):
    """How many tasks each worker has fulfilled, each of them acquired once."""
    rows = bench.query("""
        SELECT t.value::text::int, t.version, count(*)
        FROM generate_series(1, %s) AS n,
             resonate.get_task('job-' || n) AS t
        WHERE t.task_state = 'fulfilled' GROUP BY 1, 2""", (count,))
    done = [0] * workers
    for worker, version, tasks in rows:
        expect(version, 1, "acquisitions of a task")
        done[worker] += tasks
    return done


def work(bench, watch, count, workers):
    """How many tasks each worker does in how many seconds."""
    load_queue(bench, count)
    bench.query("CREATE UNLOGGED TABLE bench_misses "
                "(client int, task text, acquired int, fulfilled int)")
    try:
        result = watch.pgbench(WORK, workers, variables={"address": QUEUE})
        misses = bench.query("SELECT * FROM bench_misses LIMIT 5")
    finally:
        bench.query("DROP TABLE bench_misses")
    expect(misses, [], "tasks missed")
    done = tasks_done(bench, count, workers)
    expect(sum(done), result.processed, "tasks fulfilled")
    return result.tps, done


def fairness(workers, rounds):
    """The cells of a table on how the tasks of each round were shared."""
    everybody = [tasks for done in rounds for tasks in done]
    variation = [statistics.pstdev(done) / statistics.mean(done)
                 for done in rounds]
    return [str(workers), str(min(everybody)),
            f"{statistics.median(everybody):.0f}", str(max(everybody)),
            f"{statistics.median(variation):.3f}"]


def one_queue(bench, watch):
    """Workers take tasks from one address at which many wait."""
    count = 10_000 if bench.quick else 100_000
    shares = {FEW_WORKERS: [], MANY_WORKERS: []}

    def rate(workers):
        tps, done = work(bench, watch, count, workers)
        shares[workers].append(done)
        return tps

    paired = bench.paired(lambda: rate(FEW_WORKERS),
                          lambda: rate(MANY_WORKERS))
    report_queue(bench, paired, count, shares)


def report_queue(bench, paired, count, shares):
    """Prints what one_queue() has found."""
    bench.report.ratio(
        f"{MANY_WORKERS} workers dequeue, acquire and fulfil",
        f"{FEW_WORKERS} workers", MANY_WORKERS, paired, DEQUEUE_TARGET)
    bench.report.text(f"""
        Workers take tasks one at a time from an address at which {count:,}
        wait, in three transactions each: {MANY_WORKERS} do
        {statistics.median(paired.b):,.0f}/s and {FEW_WORKERS} do
        {statistics.median(paired.a):,.0f}/s. Each task was acquired once, and
        none was offered in vain. Tasks for each worker in {bench.seconds} s:
        """)
    bench.report.table(
        ["workers", "min", "median", "max", "coefficient of variation"],
        [fairness(workers, rounds) for workers, rounds in shares.items()])


def run(bench):
    """The section."""
    watch = Watch(bench)
    fan_in(bench, watch)
    one_promise(bench, watch)
    one_queue(bench, watch)
    bench.report.figure_row(
        "transactions aborted under contention",
        f"{watch.rollbacks} rolled back, {watch.deadlocks} deadlocks", "0",
        (watch.rollbacks, watch.deadlocks) == (0, 0))
