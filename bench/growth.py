"""The same paths with much history and many tasks, and with nothing.

Both cannot be in one table, so there are two databases that take turns.
"""

import os
import subprocess

import paths
from harness import HERE, BenchError

TITLE = "Growth"

CLIENTS = 16
TARGET = 0.90

EMPTY = "bench_empty"
LOADED = "bench_loaded"

# How many more rows a run of a path may read.  The worker looks at up to two
# tasks of each of the hundred addresses at a time; history is far more.
READS_SLACK = 200

# Promises that are settled, and pending tasks.
LOAD = (5000000, 1000000)
QUICK_LOAD = (50000, 10000)


def load(bench, settled, pending):
    """Fills one of the databases, and sees that it makes sense."""
    subprocess.run(["psql", "-Xq", "-d", LOADED, "-v", f"settled={settled}",
                    "-v", f"pending={pending}",
                    "-f", os.path.join(HERE, "load.sql")], check=True)
    # The statistics must not miss what this reads, for rows_read().
    [(_, violated)] = bench.query("""
        SELECT pg_stat_force_next_flush(),
            ARRAY(SELECT resonate.check_invariants())""", database=LOADED)
    if violated:
        raise BenchError(f"what was loaded violates {violated}")


def sizes(bench):
    """The cells of a table: each relation that has a size worth telling."""
    return bench.query("""
        SELECT relname, CASE relkind WHEN 'r' THEN 'table' ELSE 'index' END,
            pg_size_pretty(pg_relation_size(oid))
        FROM pg_catalog.pg_class
        WHERE relnamespace = 'resonate'::regnamespace AND relkind IN ('r', 'i')
            AND pg_relation_size(oid) > 100 * 8192
        ORDER BY pg_relation_size(oid) DESC""", database=LOADED)


def rows_read(bench, database):
    """How many rows have been read so far without an index, and in all.

    An index, too, can be read from one end to the other.
    """
    [(scanned, fetched)] = bench.query("""
        SELECT sum(seq_tup_read), sum(coalesce(idx_tup_fetch, 0))
        FROM pg_catalog.pg_stat_user_tables
        WHERE schemaname = 'resonate'""", database=database)
    return int(scanned), int(scanned + fetched)


def compare(bench, path):
    """Adds a path to the report.

    Answers how many rows a transaction read, in either database.
    """
    bench.reset(EMPTY)
    before = [rows_read(bench, database)[1] for database in (EMPTY, LOADED)]
    paired = bench.paired(
        lambda: paths.measure(bench, path, path.resonate, CLIENTS, EMPTY),
        lambda: paths.measure(bench, path, path.resonate, CLIENTS, LOADED))
    after = [rows_read(bench, database)[1] for database in (EMPTY, LOADED)]
    bench.report.ratio(f"{path.name}, loaded", "the same, empty", CLIENTS,
                       paired, TARGET)
    transactions = [sum(figures) * bench.seconds
                    for figures in (paired.a, paired.b)]
    return [(last - first) / count for first, last, count
            in zip(before, after, transactions)]


def compare_all(bench):
    """Adds every path that has a target, and what it read, to the report."""
    scanned, _ = rows_read(bench, LOADED)
    rows = []
    most = 0
    for path in paths.PATHS:
        if path.target is None:
            continue
        empty, loaded = compare(bench, path)
        rows.append([path.name, f"{empty:.1f}", f"{loaded:.1f}"])
        most = max(most, loaded - empty)
    bench.report.text("""
        Rows that were read for each run of the path, by whoever it was (the
        worker and the check afterwards among them):""")
    bench.report.table(["path", "empty", "loaded"], rows)
    bench.report.figure_row("rows that a path reads, loaded more than empty",
                            f"{most:.1f}", f"at most {READS_SLACK}",
                            most <= READS_SLACK)
    scanned = rows_read(bench, LOADED)[0] - scanned
    bench.report.figure_row("rows read by sequential scans, loaded",
                            f"{scanned:,}", "0", scanned == 0)


def run(bench):
    """Adds the ratios, and what there was in the tables, to the report."""
    settled, pending = QUICK_LOAD if bench.quick else LOAD
    for database in (EMPTY, LOADED):
        bench.prepare(database)
    try:
        load(bench, settled, pending)
        bench.report.text(f"""
            In the table above, where "loaded" is a database with {settled:,}
            settled promises and {pending:,} pending tasks on 100 addresses:
            """)
        bench.report.table(["relation", "is", "size"], sizes(bench))
        compare_all(bench)
    finally:
        for database in (EMPTY, LOADED):
            bench.query(f'DROP DATABASE "{database}" WITH (FORCE)')
