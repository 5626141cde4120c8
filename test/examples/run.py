#!/usr/bin/env python3
"""Runs every code block of the given Markdown files, in order.

    run.py FILE...

The server that PGHOST and PGPORT name is bare: it has neither the extension nor any
database or role that the files speak of.  How a block is run depends on its language:

    (none)          what psql shows: statements at the prompt "app=>" are executed as
                    the role app, and what they print must be what is shown
    sql             executed by the superuser in the database app
    sh              executed by bash; lines at the end that begin with "#" are what
                    it prints
    js, python, rust    written to the file that the first line names, for a block of
                    sh to execute

A comment in the line before says what the reader is told in words:

    <!-- test: session NAME -->     in this of several sessions of psql
    <!-- test: background -->       goes on while the next block is done by hand

What cannot be run stands in NOT_RUN, with the reason.  Everything else that is not
run makes the test fail, and so does an entry there that fits no block.

Expects in the environment, besides: RSN_SHIMS, a directory of programs that stand
for those that need the rights of root, and RSN_LACKS, the headings of the sections
for which the machine has no compiler or interpreter, separated by commas.
"""

import os
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

# (file, language, first line or None for all, reason)
NOT_RUN = [
    ("README.md", "sh", "sudo apt-get install make gcc postgresql "
     "postgresql-server-dev-all", "needs root; scripts/setup.sh installs these"),
    ("docs/sdk.md", "sh", "sudo apt-get install pkg-config libssl-dev",
     "needs root; scripts/setup.sh installs these"),
    ("docs/architecture.md", "text", None, "a figure"),
    ("docs/debugging.md", "sh", None, "needs a debugger and two terminals"),
    ("docs/reference.md", "sql", None,
     "signatures, which the suite \"docs\" compares with the database"),
    ("docs/search.md", "text", None, "plans of a database with 11 million rows"),
    ("docs/tasks.md", "text", None, "a figure"),
]

PATIENCE_S = 300
APP_URL = "postgres://app:secret@localhost/app"
FILES = {"js": "//", "python": "#", "rust": "//"}
failures = 0


def report(is_ok, name, explanation=""):
    """Prints the outcome of one test."""
    global failures
    failures += not is_ok
    print("ok" if is_ok else "not ok", "-", name)
    if not is_ok:
        print(re.sub("^", "#     ", explanation.rstrip(), flags=re.M))
    sys.stdout.flush()


def local(text):
    """The text for a server on another port than the default."""
    return text.replace("localhost/", f"localhost:{os.environ['PGPORT']}/")


def tidy(text):
    """What is compared of an output: no trailing blanks, no process numbers."""
    lines = [line.rstrip() for line in text.strip("\n").split("\n")]
    return re.sub(r"PID \d+", "PID ...", "\n".join(lines))


class Block:
    """A code block, and where it stands."""

    def __init__(self, file, number, heading, directive, language, lines):
        self.file = file
        self.name = f"{file}:{number}: {language or 'psql'}"
        self.heading = heading
        self.directive = directive
        self.language = language
        self.lines = lines

    def reason(self):
        """Why it is not run, or None."""
        for file, language, first, reason in NOT_RUN:
            if (file, language) == (self.file, self.language) and first in (
                None, self.lines[0],
            ):
                return reason
        return None


def read_blocks(file):
    """Yields the code blocks of a file."""
    heading = directive = start = None
    for number, line in enumerate(Path(file).read_text("utf-8").split("\n"), 1):
        fence = re.match(r"```(\w*)$", line)
        if start is None and fence:
            start, language, lines = number, fence[1], []
        elif start is not None and line == "```":
            yield Block(file, start, heading, directive, language, lines)
            start = directive = None
        elif start is not None:
            lines.append(line)
        elif line.startswith("#"):
            heading = line.lstrip("# ")
        elif line:
            if "```" in line or re.match(r"(\t|    )\S", line):
                report(False, f"{file}:{number}: code is fenced", line)
            comment = re.match(r"<!-- test: (.*) -->$", line)
            directive = comment[1] if comment else None


class Session:
    """A psql that stays open."""

    def __init__(self):
        self.process = subprocess.Popen(
            ["psql", "-X", local(APP_URL)], text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def execute(self, statements):
        """What psql prints for the statements."""
        self.process.stdin.write(statements + "\n\\echo END OF OUTPUT\n")
        self.process.stdin.flush()
        output = ""
        while (line := self.process.stdout.readline()) != "END OF OUTPUT\n":
            if not line:
                raise EOFError(output + "psql has ended")
            output += line
        return output

    def wait_for_notification(self, output):
        """psql shows a notification after the command in which it arrived."""
        tick = "SELECT 1 AS tick;"
        silence = tidy(self.execute(tick)) if "Asynchronous" in output else None
        deadline = time.monotonic() + PATIENCE_S
        while silence is None and time.monotonic() < deadline:
            more = self.execute(tick)
            if "Asynchronous" in more:
                return output + more[more.index("Asynchronous"):]
            time.sleep(0.05)
        return output


def split_transcript(lines):
    """Yields pairs of statements and what they print."""
    statements, output = [], []
    for line in lines:
        prompt = re.match(r"app[=(-]> ?", line)
        if prompt and output:
            yield "\n".join(statements), "\n".join(output)
            statements, output = [], []
        if prompt:
            statements.append(line[prompt.end():])
        else:
            output.append(line)
    yield "\n".join(statements), "\n".join(output)


class Runner:
    """Runs blocks one after the other."""

    def __init__(self):
        self.sessions = {}
        self.written = {}
        self.background = None
        self.left_out = Counter()
        self.state = Path(os.environ["HOME"]) / "shell-state"
        self.state.write_text("")

    def run(self, block):
        """Runs a block, or says why not."""
        reason = block.reason()
        if not reason and block.heading in os.environ["RSN_LACKS"].split(","):
            reason = f"this machine has no {block.heading} for it"
        if reason:
            language = block.language or "psql"
            self.left_out[block.file, language, reason] += 1
        elif block.language == "":
            self.run_transcript(block)
        else:
            self.finish_background()
            if block.language == "sql":
                self.run_sql(block)
            elif block.language == "sh":
                self.run_shell(block)
            elif block.language in FILES:
                self.write_file(block)
            else:
                report(False, block.name, "there is no way to run this language")

    def run_transcript(self, block):
        """Compares what psql prints with what is shown."""
        name = block.directive or "session"
        session = self.sessions.setdefault(name, None) or Session()
        self.sessions[name] = session
        for statements, shown in split_transcript(block.lines):
            output = session.execute(statements)
            if "Asynchronous" in shown:
                output = session.wait_for_notification(output)
            report(tidy(output) == tidy(shown), block.name,
                   f"shown:\n{shown}\nprinted:\n{output}")

    def run_sql(self, block):
        """Executes statements as the superuser; they must succeed."""
        result = subprocess.run(
            ["psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-d", "app"], text=True,
            input=local("\n".join(block.lines)), stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=PATIENCE_S)
        report(result.returncode == 0, block.name, result.stdout)

    def start_shell(self, lines, output):
        """Starts bash where the last one has ended, with its variables."""
        script = "\n".join([
            "set -e", f". '{self.state}'",
            f"trap '{{ export -p; echo \"cd $PWD\"; }} >\"{self.state}\"' EXIT",
            *lines])
        return subprocess.Popen(["bash", "-c", local(script)], stdout=output,
                                stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)

    def run_shell(self, block):
        """Runs commands, and compares what they print, if that is shown."""
        for file in self.written:
            text = "\n".join(block.lines)
            if file.name in text or ("cargo run" in text and file.suffix == ".rs"):
                self.written[file] = True
        shown = [line[2:] for line in block.lines if line.startswith("# ")]
        path = Path(os.environ["HOME"]) / "shell-output"
        with path.open("w") as output:
            process = self.start_shell(block.lines, output)
        self.background = (block, process, path, shown)
        if block.directive != "background":
            self.finish_background()
            return
        deadline = time.monotonic() + PATIENCE_S
        while process.poll() is None and shown[0] not in path.read_text():
            if time.monotonic() > deadline:
                break
            time.sleep(0.1)
        report(shown[0] in path.read_text().split("\n"),
               f"{block.name} prints {shown[0]}", path.read_text())

    def finish_background(self):
        """Waits for the end of what goes on."""
        if self.background is None:
            return
        block, process, path, shown = self.background
        self.background = None
        try:
            status = process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            status = "none: it took too long"
        output = path.read_text()
        is_same = not shown or tidy(output) == "\n".join(shown)
        report(status == 0 and is_same, block.name, f"{output}\nstatus {status}")

    def write_file(self, block):
        """Writes a program to the file that its first line names."""
        comment, _, name = block.lines[0].partition(" ")
        if comment != FILES[block.language]:
            report(False, block.name, "the first line does not name the file")
            return
        directory = subprocess.run(
            ["bash", "-c", f". '{self.state}'; pwd"], text=True, check=True,
            stdout=subprocess.PIPE).stdout.strip()
        file = Path(directory) / name
        file.write_text("\n".join(block.lines) + "\n", "utf-8")
        self.written[file] = False

    def finish(self):
        """What must be true in the end."""
        self.finish_background()
        for file, is_run in self.written.items():
            report(is_run, f"{file.name} is executed", "no block of sh names it")
        for (file, language, reason), count in self.left_out.items():
            print(f"# {file}: {count} of {language} not run: {reason}")
        for session in self.sessions.values():
            session.process.stdin.close()
            session.process.wait()


def main():
    """Runs all blocks of all files."""
    os.environ["PATH"] = f"{os.environ['RSN_SHIMS']}:{os.environ['PATH']}"
    blocks = [block for file in sys.argv[1:] for block in read_blocks(file)]
    runner = Runner()
    for block in blocks:
        try:
            runner.run(block)
        except (EOFError, OSError, subprocess.SubprocessError) as error:
            report(False, block.name, str(error))
    runner.finish()
    for entry in NOT_RUN:
        file, language, first, _ = entry
        is_used = any(
            (file, language) == (block.file, block.language)
            and first in (None, block.lines[0]) for block in blocks)
        report(is_used, f"NOT_RUN: {file}: {language}: there is such a block",
               str(first))
    sys.exit(failures > 0)


main()
