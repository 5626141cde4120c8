#!/usr/bin/env python3
"""compile-commands.py

Writes compile_commands.json, from which clangd and other tools learn how each file of
the extension is compiled.  It is what "make" would do for the server that PG_CONFIG
names, with assertions.
"""

import json
import os
import shlex
import subprocess

RESULT = "compile_commands.json"


def commands():
    """Yields the commands that compile one file."""
    config = os.environ.get("PG_CONFIG", "pg_config")
    make = ["make", "-n", "-B", "DEBUG=1", "with_llvm=no", f"PG_CONFIG={config}"]
    for line in subprocess.run(make + ["all"], check=True, text=True,
                               stdout=subprocess.PIPE).stdout.splitlines():
        words = shlex.split(line)
        if "-c" in words and words[-1].endswith(".c"):
            yield {"directory": os.getcwd(), "arguments": words, "file": words[-1]}


def main():
    found = list(commands())
    with open(RESULT, "w") as f:
        json.dump(found, f, indent=1)
        f.write("\n")
    print(f"{RESULT}: {len(found)} files")


main()
