"""Runs the benchmark, section by section.

    bench.py [--quick] [--only SECTION,...] [--check]

The environment says how to reach the server, RSN_WORKDIR where to put what is
temporary, RSN_OUT where to put RESULTS.md and its figures, and RSN_COMMIT what
is measured.  --check only looks at the arguments.
"""

import argparse
import importlib
import os
import sys
import traceback

from harness import Bench, BenchError
from report import Report

# Each is a module that has a TITLE and a function run(bench).
SECTIONS = ["paths", "latency", "batching", "contention", "accounting",
            "growth", "sustained"]

# Without these there is nothing to compare.
REQUIRED_SETTINGS = {"fsync": "on", "synchronous_commit": "on",
                     "full_page_writes": "on", "autovacuum": "on"}

# How much WAL to write before the first measurement, in files of 16 MB: as
# much as min_wal_size keeps.
WAL_FILES = 128


def parse_sections(text):
    """The sections in a list with commas, in their usual order."""
    wanted = set(text.split(","))
    unknown = wanted - set(SECTIONS)
    if unknown:
        raise argparse.ArgumentTypeError(
            f"no such section: {', '.join(sorted(unknown))} (there are "
            f"{', '.join(SECTIONS)})")
    return [section for section in SECTIONS if section in wanted]


def parse_arguments():
    """What is wanted."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true",
                        help="see that it works; the figures mean nothing")
    parser.add_argument("--only", type=parse_sections, default=SECTIONS,
                        metavar="SECTION,...", help=", ".join(SECTIONS))
    parser.add_argument("--check", action="store_true",
                        help="only check the arguments")
    return parser.parse_args()


def verify_settings(bench):
    """Fails if the server does not do what it is measured for."""
    for name, expected in REQUIRED_SETTINGS.items():
        [(value,)] = bench.query("SELECT current_setting(%s)", (name,))
        if value != expected:
            raise BenchError(f"{name} is {value}, not {expected}")


def make_wal_files(bench):
    """Has the files of WAL made that the measurements will write to."""
    bench.query("""
        SELECT pg_logical_emit_message(false, '', ''), pg_switch_wal()
        FROM generate_series(1, %s)""", (WAL_FILES,))
    bench.checkpoint()


def run_section(bench, name):
    """Whether a section came to its end; if not, the report says why."""
    try:
        bench.reset()
        section = importlib.import_module(name)
        bench.report.section(section.TITLE)
        section.run(bench)
        return True
    except Exception:  # pylint: disable=broad-except
        bench.report.section(f"{name} FAILED")
        bench.report.preformatted(traceback.format_exc())
        return False


def main():
    """Fails if a section did, after all the others have had their turn."""
    arguments = parse_arguments()
    if arguments.check:
        return
    out = os.environ["RSN_OUT"]
    figures_dir = os.path.join(out, "figures")
    os.makedirs(figures_dir, exist_ok=True)
    bench = Bench(os.environ["RSN_WORKDIR"], figures_dir, arguments.quick)
    bench.report = Report(bench)
    verify_settings(bench)
    bench.prepare()
    bench.report.environment()
    make_wal_files(bench)
    failed = [name for name in arguments.only if not run_section(bench, name)]
    bench.report.write(os.path.join(out, "RESULTS.md"))
    if failed:
        sys.exit(f"bench: FAILED: {', '.join(failed)}")


if __name__ == "__main__":
    main()
