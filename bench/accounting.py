"""What each operation writes and reads, counted instead of timed.

The counters of the server say how many rows and buffers there were, and
pg_walinspect what went to the WAL.  Beside each operation stands plain SQL
that leaves the same rows behind: what one operation of the extension has
changed is read off its tables, and the same changes are then made in schema
plain.  So this needs to know nothing about the tables but that they have keys.
"""

import collections
import dataclasses
import json
import time

from harness import BenchError

TITLE = "Write accounting"

# How many operations are counted, after others that touch the pages first.
COUNTED = 1000
WARM = 200
BATCH = 10_000

ADDRESS = "notify://bench_accounting"
TARGET = '{"resonate:target": "poll://any@bench"}'

# How long the server must write nothing before it is taken to be done, and how
# long it may take until then.
QUIET_S = 0.5
PATIENCE_S = 60

# The id of the promise whose rows are a template, as :prefix and :i make it.
TEMPLATE = "template-1"
ID = "(:prefix || '-' || :i)"

# Everything that is larger is a time in milliseconds.
NO_TIME = 10 ** 12

# Less often than this, a record is not worth a word.
RARE = 0.05

STEPS = {
    "create": f"SELECT resonate.create_promise({ID}, '1 hour');",
    "resolve": f"""SELECT resonate.resolve({ID}, '{{"done": true}}');""",
    "create with target":
        f"SELECT resonate.create_promise({ID}, '1 hour', tags => :target);",
    "acquire":
        f"SELECT resonate.acquire_task({ID}, 0, 'accounting', '1 hour');",
    "fulfil": f"SELECT resonate.fulfill_task({ID}, 1, 'resolved', "
              f"""'{{"done": true}}');""",
    "register listener":
        f"SELECT resonate.create_callback({ID}, 'accounting', :address);",
}

# What is counted, and what has been done with the promise before.
PATHS = {
    "create": ("create", []),
    "resolve": ("resolve", ["create"]),
    "create with target": ("create with target", []),
    "acquire": ("acquire", ["create with target"]),
    "fulfil": ("fulfil", ["create with target", "acquire"]),
    "register listener": ("register listener", ["create"]),
    "resolve with listener, delivered":
        ("resolve", ["create", "register listener"]),
}

BATCH_CREATE = """
SELECT count(*) FROM resonate.create_promises((
    SELECT jsonb_agg(jsonb_build_object('id', :prefix || '-' || n,
                                        'timeout', '1 hour'))
    FROM generate_series(1, CAST(:count AS integer)) AS n));
"""

# Each new entry of a B-tree is a record, be it with the split of a page; each
# row that is new to a GIN index updates its meta page, while its keys wait in
# the list.
IS_INDEX_ENTRY = """
    (resource_manager = 'Btree' AND
     (record_type IN ('INSERT_LEAF', 'INSERT_POST') OR
      record_type ~ '^SPLIT' AND description ~ 'level:? 0')) OR
    (resource_manager = 'Gin' AND record_type = 'UPDATE_META_PAGE')"""

# The part of a block reference that says which relation it is.
RELATION = r"rel \d+/\d+/(\d+)"

TOTALS_HEADERS = [
    "path", "by", "rows inserted", "updated", "of these HOT", "deleted",
    "index entries", "WAL records", "WAL bytes", "page images",
    "bytes of them", "buffers hit", "read"]


@dataclasses.dataclass
class Account:
    """What happened between two instants."""

    rows: dict
    buffers: dict
    # (resource manager, type, relation, is an index entry): how many, their
    # bytes, and the bytes of page images in them.
    records: dict


def fetch(connection, statement, arguments=None):
    """The rows that a statement answers."""
    with connection.cursor() as cursor:
        cursor.execute(statement, arguments)
        return cursor.fetchall() if cursor.description else []


def counters(connection):
    """What the server has counted so far, for both schemas together."""
    [row] = fetch(connection, """
        SELECT sum(t.n_tup_ins), sum(t.n_tup_upd), sum(t.n_tup_hot_upd),
               sum(t.n_tup_del),
               sum(coalesce(b.heap_blks_hit, 0) + coalesce(b.idx_blks_hit, 0) +
                   coalesce(b.toast_blks_hit, 0) +
                   coalesce(b.tidx_blks_hit, 0)),
               sum(coalesce(b.heap_blks_read, 0) +
                   coalesce(b.idx_blks_read, 0) +
                   coalesce(b.toast_blks_read, 0) +
                   coalesce(b.tidx_blks_read, 0))
        FROM pg_catalog.pg_stat_all_tables t
        JOIN pg_catalog.pg_statio_all_tables b USING (relid)
        WHERE t.schemaname IN ('resonate', 'plain')""")
    return [int(value) for value in row]


def wal_position(connection):
    """How far the WAL is on disk."""
    [(position,)] = fetch(connection, "SELECT pg_current_wal_flush_lsn()")
    return position


def await_quiet(connection):
    """Waits until nobody writes or counts any more; answers position of the
    WAL and counters.
    """
    give_up_at = time.monotonic() + PATIENCE_S
    seen = None
    while time.monotonic() < give_up_at:
        now = wal_position(connection), counters(connection)
        if now == seen:
            return now
        seen = now
        time.sleep(QUIET_S)
    raise BenchError("the server does not come to rest")


def wal_records(connection, start, end):
    """What Account.records has, for a part of the WAL."""
    if start == end:
        return {}
    rows = fetch(connection, f"""
        SELECT resource_manager, record_type, coalesce(c.relname, ''),
               {IS_INDEX_ENTRY}, count(*), sum(record_length), sum(fpi_length),
               count(*) FILTER (WHERE fpi_length > 0)
        FROM pg_get_wal_records_info(%s, %s) AS w
        LEFT JOIN pg_catalog.pg_class c
            ON c.relfilenode = substring(w.block_ref, %s)::oid
        WHERE resource_manager NOT IN ('Standby', 'XLOG')
            OR record_type LIKE 'FPI%%'
        GROUP BY 1, 2, 3, 4""", (start, end, RELATION))
    return {row[:4]: [int(value) for value in row[4:]] for row in rows}


def account(connection, action):
    """What happened while an action ran, until its last consequence."""
    start, before = await_quiet(connection)
    action()
    end, after = await_quiet(connection)
    delta = [new - old for old, new in zip(before, after)]
    names = ["inserted", "updated", "hot", "deleted", "hit", "read"]
    counted = dict(zip(names, delta))
    return Account({name: counted[name] for name in names[:4]},
                   {name: counted[name] for name in names[4:]},
                   wal_records(connection, start, end))


class Plain:
    """Learns what operations leave behind, and does the same in plain SQL."""

    def __init__(self, bench, connection):
        self._bench = bench
        self._connection = connection
        self._keys = self._find_keys()
        self.scripts = {}
        # The rows of the template, for the scripts.
        self.variables = {}
        # (table, variable, row) of what a step inserts.
        self.inserts = collections.defaultdict(list)

    def learn(self, name, script, before):
        """Runs a step for the template, and takes down what it changes."""
        self._bench.reset()
        for earlier in before:
            run_step(self._bench, earlier, "template", 1)
        await_quiet(self._connection)
        rows_before = self._rows()
        run_step(self._bench, script, "template", 1)
        await_quiet(self._connection)
        statements = list(self._changes(name, rows_before, self._rows()))
        if len(statements) > 1:
            statements = ["BEGIN;", *statements, "END;"]
        self.scripts[name] = "\n".join(statements)

    def batch_script(self, name):
        """Inserts for :count promises what a step inserts for one."""
        return "\n".join(
            f"INSERT INTO plain.{table} SELECT r.* "
            f"FROM generate_series(1, CAST(:count AS integer)) AS n, "
            f"{populate(table, variable, row, 'n', '0')} AS r;"
            for table, variable, row in self.inserts[name])

    def _find_keys(self):
        """The primary key of each table of the extension."""
        rows = fetch(self._connection, """
            SELECT i.indrelid::regclass::text, array_agg(a.attname::text)
            FROM pg_catalog.pg_index i
            JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
            JOIN pg_catalog.pg_attribute a
                ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey)
            WHERE i.indisprimary AND c.relnamespace = 'resonate'::regnamespace
            GROUP BY 1""")
        return {table.removeprefix("resonate."): sorted(columns)
                for table, columns in rows}

    def _rows(self):
        """The rows of all tables, by table and key."""
        result = {}
        for table, columns in self._keys.items():
            for row, in fetch(self._connection, f"""
                    SELECT to_jsonb(t) FROM resonate.{table} t"""):
                key = tuple(row[column] for column in columns)
                result[table, key] = row
        return result

    def _changes(self, name, before, after):
        """Plain statements that make the same changes."""
        for table, key in sorted(before.keys() | after.keys()):
            old, new = before.get((table, key)), after.get((table, key))
            if old == new:
                continue
            where = " AND ".join(
                f"{column} = {key_value(value)}"
                for column, value in zip(self._keys[table], key))
            if new is None:
                yield f"DELETE FROM plain.{table} WHERE {where};"
                continue
            variable = f"row_{len(self.variables)}"
            self.variables[variable] = json.dumps(new)
            row = populate(table, variable, new)
            if old is None:
                self.inserts[name].append((table, variable, new))
                yield f"INSERT INTO plain.{table} SELECT * FROM {row};"
            else:
                columns = ", ".join(column for column in new
                                    if old[column] != new[column])
                yield (f"UPDATE plain.{table} SET ({columns}) = "
                       f"(SELECT {columns} FROM {row}) WHERE {where};")


def is_time(value):
    """Whether this is the time when something happens, in milliseconds."""
    return isinstance(value, int) and value > NO_TIME


def key_value(value):
    """An expression for a part of the key of another promise's row."""
    if value == TEMPLATE:
        return ID
    if is_time(value):
        return f"{value} + CAST(:i AS bigint)"
    return "'" + str(value).replace("'", "''") + "'"


def populate(table, variable, row, number=":i",
             later_ms="CAST(:i AS bigint)"):
    """An expression for the row of another promise, which is that much later
    than the template.
    """
    text = (f"replace(:{variable}, '{TEMPLATE}', "
            f":prefix || '-' || {number})")
    for value in sorted({value for value in row.values() if is_time(value)}):
        text = (f"replace({text}, '{value}', "
                f"CAST({value} + {later_ms} AS text))")
    return f"jsonb_populate_record(NULL::plain.{table}, CAST({text} AS jsonb))"


def run_step(bench, script, prefix, count, variables=None):
    """Runs a script for so many promises, one after the other."""
    bench.pgbench("\\set i :i + 1\n" + script, 1, transactions=count,
                  variables={"prefix": prefix, "target": TARGET,
                             "address": ADDRESS, **(variables or {})})


def account_path(bench, connection, script, before, variables=None):
    """Counts what a script does, for promises with which others ran before."""
    bench.reset()
    for prefix, count in (("warm", WARM), ("counted", COUNTED)):
        for earlier in before:
            run_step(bench, earlier, prefix, count, variables)
    run_step(bench, script, "warm", WARM, variables)
    return account(connection, lambda: run_step(bench, script, "counted",
                                                COUNTED, variables))


def account_batch(bench, connection, script, variables=None):
    """Counts what a script does that creates many promises at once."""
    bench.reset()
    run_step(bench, script, "warm", 1, {"count": WARM, **(variables or {})})
    return account(connection,
                   lambda: run_step(bench, script, "counted", 1,
                                    {"count": BATCH, **(variables or {})}))


def account_all(bench, connection):
    """(path, by whom, how many operations, account) of everything."""
    plain = Plain(bench, connection)
    for name, (step, before) in PATHS.items():
        scripts = [STEPS[earlier] for earlier in before]
        plain.learn(name, STEPS[step], scripts)
        yield (name, "resonate", COUNTED,
               account_path(bench, connection, STEPS[step], scripts))
        yield (name, "plain SQL", COUNTED,
               account_path(bench, connection, plain.scripts[name],
                            [plain.scripts[earlier] for earlier in before],
                            plain.variables))
    name = f"create {BATCH:,} in one batch"
    yield (name, "resonate", BATCH,
           account_batch(bench, connection, BATCH_CREATE))
    yield (name, "plain SQL", BATCH,
           account_batch(bench, connection, plain.batch_script("create"),
                         plain.variables))


def figure(number, operations):
    """A number for each operation, with as many digits as mean something."""
    each = number / operations
    if each >= 100 or each == int(each):
        return f"{each:,.0f}"
    return f"{each:.2f}" if each >= 0.01 else "<0.01"


def totals(path, by, operations, counted):
    """A line of the table of totals, for one operation."""
    records = counted.records.items()
    images = sum(numbers[2] for _, numbers in records)
    numbers = [
        *counted.rows.values(),
        sum(numbers[0] for key, numbers in records if key[3]),
        sum(numbers[0] for _, numbers in records),
        sum(numbers[1] for _, numbers in records) - images,
        sum(numbers[3] for _, numbers in records),
        images,
        *counted.buffers.values(),
    ]
    return [path, by, *(figure(number, operations) for number in numbers)]


def list_counts(counts, operations):
    """Names and how often, the most frequent first, without rare ones."""
    return ", ".join(f"{name} {figure(count, operations)}"
                     for name, count in counts.most_common()
                     if count >= RARE * operations)


def details(path, by, operations, counted):
    """A line of the table that says which entries and records these are."""
    entries, kinds = collections.Counter(), collections.Counter()
    for (manager, kind, relation, is_entry), numbers in (
            counted.records.items()):
        # Of these two, the second one has begun a page.
        kinds[f"{manager}/{kind.removesuffix('+INIT')}"] += numbers[0]
        if is_entry:
            entries[relation] += numbers[0]
    return [path, by, list_counts(entries, operations),
            list_counts(kinds, operations)]


def run(bench):
    """The section."""
    connection = bench.connect()
    fetch(connection, "CREATE EXTENSION IF NOT EXISTS pg_walinspect")
    # It would write to the same WAL, whenever it likes.
    fetch(connection, "ALTER SYSTEM SET autovacuum = off")
    fetch(connection, "SELECT pg_reload_conf()")
    try:
        found = list(account_all(bench, connection))
    finally:
        fetch(connection, "ALTER SYSTEM RESET autovacuum")
        fetch(connection, "SELECT pg_reload_conf()")
    connection.close()
    bench.report.text(f"""
        For one operation, the mean of {COUNTED:,} that one client runs one
        after the other, with all that the background worker does about them;
        {WARM} others ran before, since the last checkpoint. WAL bytes are
        those without page images. Buffers are those of tables and their
        indexes. Plain SQL makes the same changes to tables with the same
        indexes.""")
    bench.report.table(TOTALS_HEADERS, [totals(*row) for row in found])
    bench.report.table(["path", "by", "index entries", "WAL records"],
                       [details(*row) for row in found])
