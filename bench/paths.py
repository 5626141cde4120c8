"""Every path that has a target, against plain SQL that writes the same rows.

On either side a step is one statement, one round trip and one transaction.
"""

import dataclasses
import json
import threading
import time

from harness import BenchError

TITLE = "Paths against plain SQL"

CLIENTS = [1, 16]
DELIVERY_CLIENTS = [16, 64]

# How many promises a client settles in a second, at most; how many are made in
# advance depends on it.
DELIVERY_RATE = 10000

# More than elsewhere: what a listener costs is less than what pairs differ by.
DELIVERY_PAIRS = 11

DELIVERY_CHANNEL = "bench"

# What is delivered must not come much later, or it would prove nothing that
# it costs nothing.
BACKLOG_S = 1.0

BATCH_SIZE = 10000

DAY_MS = 86400000

# A plan is kept for as long as a session lasts.  One that was made while a
# table happened to be empty must not spoil the baseline.
SETTINGS = {"plain": {"enable_seqscan": "off"}, "resonate": {}}

# The tables that are compared to see whether both sides write the same, and
# the columns in which they cannot agree.
COMPARED_TABLES = ["promises", "tasks", "callbacks", "messages", "awaiters"]
VOLATILE_COLUMNS = ["id", "created_at", "timeout_at", "settled_at", "clock_at"]

# The id of the promise that a transaction is about.
ID = ":run || '-' || :client_id || '-' || :i"

# Literals of JSON with a colon before a letter or a digit are variables,
# because pgbench would look for variables in them.
VARIABLES = {
    "target_tags": json.dumps({"resonate:target": "poll://any@worker",
                               "resonate:external": "true"}),
    "rpc_tags": json.dumps({"resonate:external": "true"}),
    "now_ms": int(time.time() * 1000),
}


@dataclasses.dataclass
class Side:
    """What one contestant does: a schema to do it in, and the steps."""

    schema: str
    steps: list

    def script(self, step_count=None):
        """The first steps, or all, as a script for pgbench."""
        return "\\set i :i + 1\n" + "\n".join(self.steps[:step_count]) + "\n"


@dataclasses.dataclass
class Path:
    """Two sides that do the same, and how often."""

    name: str
    against: str
    baseline: Side
    resonate: Side
    target: float
    # The state in which a promise is after the last step.
    end_state: str
    clients: list = dataclasses.field(default_factory=lambda: CLIENTS)


PLAIN_CREATE = f"""
    INSERT INTO plain.promises (created_at, timeout_at, state, timer, external,
        targeted, id, param_data)
    VALUES (plain.now_ms(), plain.now_ms() + {DAY_MS}, 'pending', false, true,
        false, {ID}, '{{"amount": 250}}'::bytea)"""

PLAIN_RESOLVE = f"""
    UPDATE plain.promises
    SET state = 'resolved', settled_at = plain.now_ms(),
        value_data = '{{"approved": true}}'::bytea
    WHERE id = {ID};"""

CREATE_CALL = f"""resonate.create_promise(
        {ID}, timeout => '1 day', param => '{{"amount": 250}}')"""

RESOLVE_CALL = f"""resonate.resolve(
        {ID}, '{{"approved": true}}')"""

# A plain statement answers whether it has written its row.  So does the status.
CREATE = f"SELECT ({CREATE_CALL}).status;"
RESOLVE = f"SELECT ({RESOLVE_CALL}).status;"

# The whole record, as the protocol answers it; and some columns of it, for which
# PostgreSQL keeps the record in a tuple store of its own.
CREATE_RECORD = f"SELECT {CREATE_CALL};"
RESOLVE_RECORD = f"SELECT {RESOLVE_CALL};"
CREATE_COLUMNS = f"SELECT status, state FROM {CREATE_CALL};"
RESOLVE_COLUMNS = f"SELECT status, state FROM {RESOLVE_CALL};"

# That the task goes with the promise is plain SQL's business, too, so it uses
# one statement for both.
PLAIN_LIFE = [f"""
    WITH task AS (
        INSERT INTO plain.tasks (clock_at, timeout_at, version, resumes,
            setbacks, state, id, address)
        VALUES (plain.now_ms(), plain.now_ms() + {DAY_MS}, 0, 0, 0, 'pending',
            {ID}, 'poll://any@worker'))
    INSERT INTO plain.promises (created_at, timeout_at, state, timer, external,
        targeted, id, tags, param_data)
    VALUES (plain.now_ms(), plain.now_ms() + {DAY_MS}, 'pending', false, true,
        true, {ID}, :target_tags, '{{"amount": 250}}'::bytea);""", f"""
    UPDATE plain.tasks
    SET clock_at = plain.now_ms() + 60000, ttl = 60000, version = 1,
        resumes = 0, state = 'acquired', pid = 'worker'
    WHERE id = {ID};""", f"""
    WITH task AS (
        DELETE FROM plain.tasks WHERE id = {ID})
    UPDATE plain.promises
    SET state = 'resolved', settled_at = plain.now_ms(), task_version = 1,
        value_data = '{{"approved": true}}'::bytea
    WHERE id = {ID};"""]

LIFE = [f"""
    SELECT (resonate.create_promise(
        {ID}, timeout => '1 day', param => '{{"amount": 250}}',
        tags => :target_tags)).status;""", f"""
    SELECT (resonate.acquire_task(
        {ID}, 0, 'worker', '1 min')).status;""", f"""
    SELECT (resonate.fulfill_task(
        {ID}, 1, value => '{{"approved": true}}')).status;"""]

# The client makes JSON of the id, and the deadline.
RPC_CREATE = f"""
    \\set timeout_at :now_ms + {DAY_MS} + :i
    SELECT resonate.resonate_rpc((
        '{{"kind": "promise.create",'
        ' "head": {{"corrId": "c", "version": "2026-04-01"}},'
        ' "data": {{"id": "' || {ID} ||
        '", "timeoutAt": ' || :timeout_at ||
        ', "param": {{"data": "eyJhbW91bnQiOiAyNTB9"}}, "tags": ' ||
        :rpc_tags || '}}}}')::jsonb);"""

RPC_RESOLVE = f"""
    SELECT resonate.resonate_rpc((
        '{{"kind": "promise.settle",'
        ' "head": {{"corrId": "c", "version": "2026-04-01"}},'
        ' "data": {{"id": "' || {ID} ||
        '", "state": "resolved",'
        ' "value": {{"data": "eyJhcHByb3ZlZCI6IHRydWV9"}}}}}}')::jsonb);"""

CREATE_SIDE = Side("resonate", [CREATE])
SETTLE_SIDE = Side("resonate", [CREATE, RESOLVE])
COLUMNS_SIDE = Side("resonate", [CREATE_COLUMNS, RESOLVE_COLUMNS])

PATHS = [
    Path("create_promise", "INSERT",
         Side("plain", [PLAIN_CREATE + ";"]), CREATE_SIDE, 0.95, "pending"),
    Path("create_promise", "INSERT, ON CONFLICT, RETURNING",
         Side("plain", [PLAIN_CREATE +
                        " ON CONFLICT DO NOTHING RETURNING state;"]),
         CREATE_SIDE, None, "pending"),
    Path("create, resolve", "INSERT, UPDATE",
         Side("plain", [PLAIN_CREATE + ";", PLAIN_RESOLVE]), SETTLE_SIDE,
         0.90, "resolved"),
    Path("create, resolve, as columns", "INSERT, UPDATE",
         Side("plain", [PLAIN_CREATE + ";", PLAIN_RESOLVE]), COLUMNS_SIDE,
         None, "resolved"),
    Path("targeted create, acquire, fulfill", "INSERT, UPDATE, UPDATE",
         Side("plain", PLAIN_LIFE), Side("resonate", LIFE), 0.80, "resolved"),
    Path("resonate_rpc promise.create", "create_promise",
         Side("resonate", [CREATE_RECORD]), Side("resonate", [RPC_CREATE]),
         0.80, "pending"),
    Path("resonate_rpc create, settle", "create_promise, resolve",
         Side("resonate", [CREATE_RECORD, RESOLVE_RECORD]),
         Side("resonate", [RPC_CREATE, RPC_RESOLVE]), 0.80, "resolved"),
]


def count(bench, schema, prefix, state, database=None):
    """How many promises have an id with that prefix, and are in that state."""
    [(number,)] = bench.query(f"""
        SELECT count(*) FROM {schema}.promises
        WHERE id >= %s AND id < %s AND state = %s""",
                              (prefix + "-", prefix + ".", state), database)
    return number


def measure(bench, path, side, clients, database=None):
    """Transactions a second of a side; fails if one did not do its work."""
    result = bench.pgbench(side.script(), clients, variables=VARIABLES,
                           database=database, settings=SETTINGS[side.schema])
    done = count(bench, side.schema, str(result.run), path.end_state, database)
    if done != result.processed:
        raise BenchError(f"{result.processed} transactions of {path.name} in "
                         f"{side.schema} left {done} promises "
                         f"{path.end_state}")
    return result.tps


def contents(bench, schema):
    """The rows of all tables, but for ids and times."""
    rows = {}
    for table in COMPARED_TABLES:
        rows[table] = [row for (row,) in bench.query(f"""
            SELECT to_jsonb(t) FROM {schema}.{table} AS t""")]
        for row in rows[table]:
            for column in VOLATILE_COLUMNS:
                if row.get(column) is not None:
                    row[column] = "something"
    return rows


def check_same_rows(bench, path):
    """Fails unless both sides have written the same rows after each step."""
    for step_count in range(1, len(path.resonate.steps) + 1):
        found = []
        for side in (path.baseline, path.resonate):
            bench.reset()
            bench.pgbench(side.script(step_count), 1, transactions=1,
                          variables=VARIABLES)
            found.append(contents(bench, side.schema))
        if found[0] != found[1]:
            raise BenchError(f"{path.name} and {path.against} do not write "
                             f"the same rows in step {step_count}:\n"
                             f"{found[1]}\n{found[0]}")


def run_path(bench, path):
    """Adds the lines of a path to the report."""
    check_same_rows(bench, path)
    for clients in path.clients:
        bench.reset()
        paired = bench.paired(
            lambda: measure(bench, path, path.baseline, clients),
            lambda: measure(bench, path, path.resonate, clients))
        bench.report.ratio(path.name, path.against, clients, paired,
                           path.target)


class Drain:
    """A session that listens, and remembers what it has heard and when.

    It looks at its socket in intervals, like a client that is busy, so that
    it takes little of the processor from what is measured.
    """

    INTERVAL_S = 0.02
    PATIENCE_S = 120

    def __init__(self, bench, channel):
        self.heard = []
        self.last_at = None
        self._connection = bench.connect()
        with self._connection.cursor() as cursor:
            cursor.execute(f"LISTEN {channel}")
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def wait(self, expected):
        """Waits until it has heard so many."""
        give_up_at = time.monotonic() + self.PATIENCE_S
        while (len(self.heard) < expected and
               time.monotonic() < give_up_at):
            time.sleep(self.INTERVAL_S)

    def close(self):
        """Ends the session."""
        self._is_over.set()
        self._thread.join()
        self._connection.close()

    def _listen(self):
        while not self._is_over.wait(self.INTERVAL_S):
            # Each poll reads no more than a buffer, so go on to the end.
            self._connection.poll()
            while self._connection.notifies:
                self.last_at = time.monotonic()
                self.heard += [notify.payload for notify
                               in self._connection.notifies]
                self._connection.notifies.clear()
                self._connection.poll()


DELIVERY_SCRIPT = """
    \\set i :i + 1
    SELECT (resonate.resolve(
        :batch || '-' || :client_id || '-' || :i, '{"approved": true}')).status;
"""

# How a promise is made, with a listener or without.
DELIVERY_CREATE = {
    True: f"create_promise_and_callback({{id}}, 'bench', "
          f"'notify://{DELIVERY_CHANNEL}',",
    False: "create_promise({id},",
}

PREPARE_DELIVERY = """
    SELECT count(r.status)
    FROM generate_series(0, %s) AS client,
        generate_series(1, %s) AS i,
        resonate.{create} timeout => '1 day', param => '{{"amount": 250}}')
            AS r
    WHERE r.status = 2010"""


class Delivery:
    """Resolving promises that somebody waits for, or nobody."""

    def __init__(self, bench, clients):
        self._bench = bench
        self._clients = clients
        self._each = bench.seconds * DELIVERY_RATE // clients
        self._batches = 0
        self.backlogs_s = []

    @property
    def promise_count(self):
        """How many promises each side resolves."""
        return self._clients * self._each

    def measure(self, is_awaited):
        """Promises resolved a second, all of them made in advance."""
        batch = self._prepare(is_awaited)
        drain = Drain(self._bench, DELIVERY_CHANNEL)
        try:
            result = self._bench.pgbench(
                DELIVERY_SCRIPT, self._clients, transactions=self._each,
                variables={"batch": batch})
            ended_at = time.monotonic()
            if is_awaited:
                drain.wait(self.promise_count)
                self._check_heard(drain.heard)
                self.backlogs_s.append(max(drain.last_at - ended_at, 0))
        finally:
            drain.close()
        done = count(self._bench, "resonate", batch, "resolved")
        if done != self.promise_count:
            raise BenchError(f"only {done} of {self.promise_count} promises "
                             f"were resolved")
        return result.tps

    def _prepare(self, is_awaited):
        """Makes the promises; answers the prefix of their ids."""
        self._batches += 1
        batch = f"delivery{self._clients}.{self._batches}"
        create = DELIVERY_CREATE[is_awaited].format(
            id="%s || '-' || client || '-' || i")
        [(made,)] = self._bench.query(PREPARE_DELIVERY.format(create=create),
                                      (self._clients - 1, self._each, batch))
        if made != self.promise_count:
            raise BenchError(f"only {made} promises were made")
        self._bench.checkpoint()
        return batch

    def _check_heard(self, heard):
        """Each promise has to be told of, and once, for nothing has failed."""
        if not len(heard) == len(set(heard)) == self.promise_count:
            raise BenchError(f"{len(heard)} notifications came about "
                             f"{len(set(heard))} of {self.promise_count} "
                             f"promises")


def run_delivery(bench):
    """Adds what listeners cost those who settle, and how long they wait."""
    rows = []
    for clients in DELIVERY_CLIENTS:
        bench.reset()
        delivery = Delivery(bench, clients)
        paired = bench.paired(lambda: delivery.measure(False),
                              lambda: delivery.measure(True),
                              None if bench.quick else DELIVERY_PAIRS)
        bench.report.ratio("resolve with a listener, delivered",
                           "resolve without", clients, paired, 0.90)
        backlogs = sorted(delivery.backlogs_s)
        bench.report.figure_row(
            f"last notification after the last commit, {clients} clients",
            f"{backlogs[-1]:.2f} s", f"{BACKLOG_S:.2f} s",
            backlogs[-1] <= BACKLOG_S)
        rows.append([clients, delivery.promise_count,
                     f"{backlogs[0]:.2f} s",
                     f"{backlogs[len(backlogs) // 2]:.2f} s",
                     f"{backlogs[-1]:.2f} s"])
    bench.report.text("""
        Delivery: one session listens, and gets every notification, once. How
        long after the last commit the last of them came:""")
    bench.report.table(["clients", "promises", "min", "median", "max"], rows)


# What each side finds prepared: the batch as one argument, or as rows.
PREPARE_BATCHES = f"""
    CREATE UNLOGGED TABLE plain.batch_arguments AS
    SELECT batch,
        jsonb_agg(jsonb_build_object('id', batch || '-' || i,
            'timeout', '1 day', 'param', '{{"amount": 250}}'::jsonb))
            AS to_create,
        jsonb_agg(jsonb_build_object('id', batch || '-' || i,
            'state', 'resolved', 'value', '{{"approved": true}}'::jsonb))
            AS to_settle
    FROM generate_series(1, %(batches)s) AS batch,
        generate_series(1, {BATCH_SIZE}) AS i
    GROUP BY batch;

    CREATE UNLOGGED TABLE plain.batch_rows AS
    SELECT batch, batch || '-' || i AS id,
        '{{"amount": 250}}'::bytea AS param_data,
        '{{"approved": true}}'::bytea AS value_data
    FROM generate_series(1, %(batches)s) AS batch,
        generate_series(1, {BATCH_SIZE}) AS i
    ORDER BY batch, i;

    CREATE INDEX ON plain.batch_arguments (batch);
    CREATE INDEX ON plain.batch_rows (batch);
    ANALYZE plain.batch_arguments, plain.batch_rows"""

# Those of the extension answer how many rows they have written.
BATCH_STATEMENTS = {
    ("plain", "create"): f"""
        INSERT INTO plain.promises (created_at, timeout_at, state, timer,
            external, targeted, id, param_data)
        SELECT plain.now_ms(), plain.now_ms() + {DAY_MS}, 'pending', false,
            true, false, id, param_data
        FROM plain.batch_rows WHERE batch = %s""",
    ("resonate", "create"): """
        SELECT count(*) FILTER (WHERE r.status = 2010)
        FROM plain.batch_arguments AS a, resonate.create_promises(to_create)
            AS r
        WHERE a.batch = %s""",
    ("plain", "settle"): """
        UPDATE plain.promises AS p
        SET state = 'resolved', settled_at = plain.now_ms(),
            value_data = r.value_data
        FROM plain.batch_rows AS r
        WHERE r.batch = %s AND p.id = r.id""",
    ("resonate", "settle"): """
        SELECT count(*) FILTER (WHERE r.status = 2010)
        FROM plain.batch_arguments AS a, resonate.settle_promises(to_settle)
            AS r
        WHERE a.batch = %s""",
}


class Batches:
    """Creating and settling many promises at a time, from one session."""

    def __init__(self, bench):
        self._bench = bench
        self._each = 2 if bench.quick else 10
        self._done = {key: 0 for key in BATCH_STATEMENTS}
        self._connection = bench.connect()

    def prepare(self):
        """Makes the arguments of all statements."""
        with self._connection.cursor() as cursor:
            cursor.execute(PREPARE_BATCHES,
                           {"batches": self._each * self._bench.pairs})

    def measure(self, schema, action):
        """Promises a second; each statement has a batch of its own."""
        key = (schema, action)
        began = time.monotonic()
        with self._connection.cursor() as cursor:
            for _ in range(self._each):
                self._done[key] += 1
                cursor.execute(BATCH_STATEMENTS[key], (self._done[key],))
                written = (cursor.fetchone()[0] if cursor.description
                           else cursor.rowcount)
                if written != BATCH_SIZE:
                    raise BenchError(f"{action} in {schema} wrote {written} "
                                     f"promises instead of {BATCH_SIZE}")
        return self._each * BATCH_SIZE / (time.monotonic() - began)

    def close(self):
        """Removes what was made for this."""
        with self._connection.cursor() as cursor:
            cursor.execute("DROP TABLE IF EXISTS plain.batch_arguments,"
                           " plain.batch_rows")
        self._connection.close()


def run_batches(bench):
    """Adds the calls that take many; figures are promises a second."""
    bench.reset()
    batches = Batches(bench)
    try:
        batches.prepare()
        for action, path, against, target in (
                ("create", "create_promises", "INSERT ... SELECT", 0.70),
                ("settle", "settle_promises", "UPDATE ... FROM", None)):
            paired = bench.paired(lambda: batches.measure("plain", action),
                                  lambda: batches.measure("resonate", action))
            bench.report.ratio(f"{path}, {BATCH_SIZE:,} in one call", against,
                               1, paired, target)
    finally:
        batches.close()


def run(bench):
    """Adds the paths to the report."""
    bench.report.text(f"""
        In the table above. In each of {bench.pairs} pairs, each side ran for
        {bench.seconds} s. Before that, each path was run once on either side,
        and after each of its steps the rows of both were compared, column by
        column. Afterwards the promises were counted, to see that each
        transaction did its work.""")
    for path in PATHS:
        run_path(bench, path)
    run_delivery(bench)
    run_batches(bench)
