"""The same paths with a million promises of SDKs, and with nothing.

Both cannot be in one table, so there are two databases that take turns.
"""

import os
import statistics
import subprocess

import paths
from harness import HERE, BenchError

TITLE = "Growth"

CLIENTS = 16
TARGET = 0.90

EMPTY = "bench_empty"
LOADED = "bench_loaded"

# How many more rows and index entries a run of a path may read.  The worker looks at
# up to two tasks of each of the hundred addresses at a time; history is far more.
READS_SLACK = 400

# Workflows of ten promises, and how many of them are under way.
LOAD = (100000, 10000)
QUICK_LOAD = (5000, 500)

# A long workflow, a short one, and how much slower than the short one's a step of the
# long one may be.
LONG_STEPS = 200
SHORT_STEPS = 10
STEP_TARGET = 1 / 1.3
BUFFERS_TARGET = 1.3
STEP_CLIENTS = 4

# How many long workflows each client runs, and the same number of steps in short ones.
STEP_ROUNDS = 2

ROOT = paths.ID


def part(name):
    """The id of a promise of the workflow; none of the run that is counted."""
    return f"'part-' || {ROOT} || '.{name}'"


def steps(version, count):
    """Statements: a worker runs so many steps of a workflow."""
    return [f"SELECT sdk.{action}({ROOT}, {version}, {part(number)});"
            for number in range(1, count + 1)
            for action in ("begin_step", "end_step")]


def workflow(count):
    """A workflow of so many steps, without a wait."""
    return paths.Side("resonate", [
        f"SELECT sdk.create_task({ROOT});", *steps(1, count),
        f"SELECT sdk.fulfill({ROOT}, 1);"])


# Three steps, a call that somebody else executes, a wait for it, and the rest.
SDK_LIFE = paths.Side("resonate", [
    f"SELECT sdk.create_task({ROOT});", *steps(1, 3),
    f"SELECT sdk.call_child({ROOT}, 1, {part('child')});",
    f"SELECT sdk.suspend({ROOT}, 1, {part('child')});",
    f"SELECT sdk.acquire({part('child')}, 0);",
    f"SELECT sdk.fulfill({part('child')}, 1);",
    f"SELECT sdk.acquire({ROOT}, 1);",
    f"SELECT sdk.fulfill({ROOT}, 2);"])

SDK_PATH = paths.Path("SDK: steps, call, wait, resume", None, None, SDK_LIFE,
                      TARGET, "resolved")


def prepare(bench, database):
    """Makes one of the databases."""
    bench.prepare(database)
    with open(os.path.join(HERE, "sdk.sql"), encoding="utf-8") as script:
        bench.query(script.read(), database=database)


def load(bench, workflows, running):
    """Fills one of the databases, and sees that it makes sense."""
    subprocess.run(["psql", "-Xq", "-d", LOADED, "-v", f"workflows={workflows}",
                    "-v", f"running={running}",
                    "-f", os.path.join(HERE, "load.sql")], check=True)
    # The statistics must not miss what this reads, for reads().
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


def reads(bench, database):
    """What has been read so far: rows without an index, rows and index entries in
    all, and buffers.
    """
    [(scanned, entries, buffers)] = bench.query("""
        SELECT (SELECT sum(seq_tup_read) FROM pg_catalog.pg_stat_user_tables
                WHERE schemaname = 'resonate'),
            (SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))
             FROM pg_catalog.pg_stat_user_tables WHERE schemaname = 'resonate') +
            (SELECT sum(idx_tup_read) FROM pg_catalog.pg_stat_user_indexes
             WHERE schemaname = 'resonate'),
            (SELECT sum(heap_blks_read + heap_blks_hit +
                        coalesce(idx_blks_read + idx_blks_hit, 0) +
                        coalesce(toast_blks_read + toast_blks_hit, 0) +
                        coalesce(tidx_blks_read + tidx_blks_hit, 0))
             FROM pg_catalog.pg_statio_user_tables WHERE schemaname = 'resonate')
        """, database=database)
    return int(scanned), int(entries), int(buffers)


def compare(bench, path):
    """Adds a path to the report.

    Answers what a transaction read: entries and buffers, empty and loaded.
    """
    bench.reset(EMPTY)
    before = [reads(bench, database) for database in (EMPTY, LOADED)]
    paired = bench.paired(
        lambda: paths.measure(bench, path, path.resonate, CLIENTS, EMPTY),
        lambda: paths.measure(bench, path, path.resonate, CLIENTS, LOADED))
    after = [reads(bench, database) for database in (EMPTY, LOADED)]
    bench.report.ratio(f"{path.name}, loaded", "the same, empty", CLIENTS,
                       paired, TARGET)
    transactions = [sum(figures) * bench.seconds
                    for figures in (paired.a, paired.b)]
    return [(after[side][what] - before[side][what]) / transactions[side]
            for what in (1, 2) for side in (0, 1)]


def compare_all(bench):
    """Adds every path that has a target, and what it read, to the report."""
    scanned = reads(bench, LOADED)[0]
    rows = []
    most = 0
    for path in [*(path for path in paths.PATHS if path.target is not None),
                 SDK_PATH]:
        figures = compare(bench, path)
        rows.append([path.name, *(f"{figure:.1f}" for figure in figures)])
        most = max(most, figures[1] - figures[0])
    bench.report.text("""
        What was read for each run of the path, by whoever it was (the worker and the
        check afterwards among them): rows and index entries, and buffers.""")
    bench.report.table(["path", "entries, empty", "loaded", "buffers, empty",
                        "loaded"], rows)
    bench.report.figure_row("rows and entries that a path reads, loaded more "
                            "than empty", f"{most:.1f}",
                            f"at most {READS_SLACK}", most <= READS_SLACK)
    scanned = reads(bench, LOADED)[0] - scanned
    bench.report.figure_row("rows read by sequential scans, loaded",
                            f"{scanned:,}", "0", scanned == 0)


def measure_steps(bench, count, buffers):
    """Steps a second in workflows of so many; notes how many buffers each took."""
    before = reads(bench, LOADED)[2]
    result = bench.pgbench(workflow(count).script(), STEP_CLIENTS,
                           transactions=LONG_STEPS * STEP_ROUNDS // count,
                           variables=paths.VARIABLES, database=LOADED)
    done = paths.count(bench, "resonate", str(result.run), "resolved", LOADED)
    if done != result.processed:
        raise BenchError(f"{result.processed} workflows left {done} resolved")
    buffers[count].append((reads(bench, LOADED)[2] - before) / done / count)
    return result.tps * count


def compare_steps(bench):
    """Adds what a step of a long workflow costs, beside one of a short one."""
    buffers = {SHORT_STEPS: [], LONG_STEPS: []}
    paired = bench.paired(
        lambda: measure_steps(bench, SHORT_STEPS, buffers),
        lambda: measure_steps(bench, LONG_STEPS, buffers))
    bench.report.ratio(f"SDK steps, {LONG_STEPS} in a workflow, loaded",
                       f"{SHORT_STEPS} in a workflow", STEP_CLIENTS, paired,
                       STEP_TARGET)
    ratio = (statistics.median(buffers[LONG_STEPS]) /
             statistics.median(buffers[SHORT_STEPS]))
    bench.report.figure_row(f"buffers of a step, {LONG_STEPS} in a workflow, "
                            f"by those with {SHORT_STEPS}", f"{ratio:.2f}",
                            f"at most {BUFFERS_TARGET:.2f}",
                            ratio <= BUFFERS_TARGET)


def run(bench):
    """Adds the ratios, and what there was in the tables, to the report."""
    workflows, running = QUICK_LOAD if bench.quick else LOAD
    try:
        for database in (EMPTY, LOADED):
            prepare(bench, database)
        load(bench, workflows, running)
        bench.report.text(f"""
            In the table above, where "loaded" is a database with {workflows:,}
            workflows of ten promises each, tagged as SDKs tag them, {running:,} of
            which are under way, with a pending task each on 100 addresses:
            """)
        bench.report.table(["relation", "is", "size"], sizes(bench))
        compare_all(bench)
        compare_steps(bench)
    finally:
        for database in (EMPTY, LOADED):
            bench.query(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')
