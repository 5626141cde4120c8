"""Prints what was measured, and keeps it in RESULTS.md."""

import datetime
import os
import platform
import re
import statistics
import subprocess
import textwrap

RATIO_HEADERS = ["path", "against", "clients", "baseline/s", "resonate/s",
                 "min", "median", "max", "target", ""]
FIGURE_HEADERS = ["what", "measured", "target", ""]

# Settings that say where the server is and what it logs, not how fast it is.
UNINTERESTING = r"""
    ^(listen_addresses|port|unix_socket.*|log_.*|lc_.*|DateStyle|TimeZone
     |default_text_search_config|restart_after_crash)$"""

WIDTH = 79


def judge(is_met):
    """A word for a target."""
    return "met" if is_met else "SHORT"


def round_figure(value):
    """A rate, with as many digits as mean something."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def ratio_cells(path, baseline, clients, paired, target):
    """The cells of a line of the table of ratios."""
    return [path, baseline, str(clients),
            round_figure(statistics.median(paired.a)),
            round_figure(statistics.median(paired.b)),
            f"{paired.min:.2f}", f"{paired.median:.2f}", f"{paired.max:.2f}",
            "" if target is None else f"{target:.2f}",
            "" if target is None else judge(paired.median >= target)]


def format_table(headers, rows):
    """A table that can be read as it is, and in Markdown."""
    table = [[str(cell).replace("|", "\\|") for cell in row]
             for row in [headers, *rows]]
    widths = [max(map(len, column)) for column in zip(*table)]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width
                               in zip(row, widths)) + " |" for row in table]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) +
                 "|")
    return "\n".join(lines)


def format_item(item):
    """A name and what it stands for, as an item of a list."""
    name, value = item
    return textwrap.fill(f"- **{name}**: {value}", WIDTH,
                         subsequent_indent="  ", break_long_words=False,
                         break_on_hyphens=False)


def first_match(pattern, path):
    """What the first line of a file that matches has in its group."""
    with open(path, encoding="utf-8") as file:
        match = re.search(pattern, file.read(), re.MULTILINE)
    return match[1].strip() if match else "unknown"


def cpu():
    """The model, and how many of its cores there are."""
    model = first_match(r"^model name\s*:(.*)$", "/proc/cpuinfo")
    return f"{model}, {os.cpu_count()} cores"


def memory():
    """All of it."""
    kb = int(first_match(r"^MemTotal:\s*(\d+) kB$", "/proc/meminfo"))
    return f"{kb / 2 ** 20:.1f} GiB"


def storage(directory):
    """How fast fdatasync is there, on average over a second."""
    path = os.path.join(directory, "pg_test_fsync")
    with subprocess.Popen(["pg_test_fsync", "-s", "1", "-f", path],
                          stdout=subprocess.PIPE, text=True) as process:
        found = None
        for line in process.stdout:
            # The first such line is that for one write, and that will do.
            found = re.match(r"\s*fdatasync\s+(\S.*)", line)
            if found:
                process.terminate()
                break
    if os.path.exists(path):
        os.remove(path)
    if not found or "ops" not in found[1]:
        return "unknown"
    return "8 kB write and fdatasync: " + re.sub(r"\s+", " ", found[1].strip())


class Report:
    """Collects what the sections found, printing it as it comes.

    The sections appear in the file in the order in which they were begun,
    after the targets of all of them.
    """

    def __init__(self, bench):
        self._bench = bench
        self._ratios = []
        self._figures = []
        self._blocks = []
        self._environment = None

    def environment(self):
        """Finds out, and prints, what the figures are to be read with."""
        [(version,)] = self._bench.query("SELECT version()")
        settings = self._bench.query("""
            SELECT name, current_setting(name)
            FROM pg_catalog.pg_settings
            WHERE source = 'configuration file'
                AND setting IS DISTINCT FROM boot_val
                OR name IN ('fsync', 'synchronous_commit', 'full_page_writes',
                            'autovacuum')
            ORDER BY name""")
        shown = ", ".join(
            f"{name} = {value}" for name, value in settings
            if not re.match(UNINTERESTING, name, re.VERBOSE))
        now = datetime.datetime.now(datetime.timezone.utc)
        length = (", QUICK: too short to mean anything"
                  if self._bench.quick else "")
        self._environment = [
            ("date", now.strftime("%Y-%m-%d %H:%M UTC") + length),
            ("commit", os.environ.get("RSN_COMMIT", "unknown")),
            ("processor", cpu()),
            ("memory", memory()),
            ("kernel", f"{platform.system()} {platform.release()}"),
            ("storage", storage(self._bench.workdir)),
            ("server", version),
            ("settings", shown),
        ]
        for name, value in self._environment:
            print(f"{name:<10} {value}")

    def ratio(self, path, baseline, clients, paired, target):
        """Adds a path to the table of ratios; target None is none."""
        row = ratio_cells(path, baseline, clients, paired, target)
        self._ratios.append(row)
        print("  ".join(f"{header} {cell}".strip() for header, cell
                        in zip(["", "against", "clients", *RATIO_HEADERS[3:]],
                               row) if cell), flush=True)

    def figure_row(self, path, value_text, target_text, ok):
        """Adds a target that is not a ratio."""
        row = [path, value_text, target_text, judge(ok)]
        self._figures.append(row)
        print(f"{path}  {value_text}  target {target_text}  {row[3]}",
              flush=True)

    def section(self, title):
        """Begins a section."""
        self._add("## " + title)

    def text(self, markdown):
        """Adds a paragraph to the section."""
        self._add(textwrap.fill(textwrap.dedent(markdown).strip(), WIDTH,
                                break_long_words=False,
                                break_on_hyphens=False))

    def table(self, headers, rows):
        """Adds a table to the section."""
        self._add(format_table(headers, rows))

    def preformatted(self, text):
        """Adds text to the section that stays as it is."""
        self._add("```\n" + text.rstrip() + "\n```")

    def figure(self, name, caption):
        """Adds a picture, a file in the directory of figures."""
        self._add(f"![{caption}](figures/{name})")

    def write(self, path):
        """Prints the tables of targets and writes the file."""
        targets = self._targets()
        print("\n" + targets)
        head = ["# Results",
                textwrap.fill("Written by `make bench`, the latest run. "
                              "[README.md](README.md) says how to read it.",
                              WIDTH),
                "\n".join(map(format_item, self._environment))]
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n\n".join([*head, targets, *self._blocks]) + "\n")

    def _targets(self):
        """The one thing to look at."""
        parts = ["## Targets"]
        if self._ratios:
            parts.append(format_table(RATIO_HEADERS, self._ratios))
        if self._figures:
            parts.append(format_table(FIGURE_HEADERS, self._figures))
        return "\n\n".join(parts)

    def _add(self, block):
        self._blocks.append(block)
        print("\n" + block, flush=True)
