#!/usr/bin/env python3
"""sizes.py [--print]

Checks that the files of src/ have at most 500 lines and that nine of ten functions have
at most 40, from brace to brace.  Prints what is too long; with --print, the figures.
"""

import pathlib
import statistics
import sys

FILE_MAX = 500
FUNCTION_MAX = 40


def functions(lines):
    """The lengths of the bodies of functions, whose braces stand in column one."""
    start = None
    for number, line in enumerate(lines):
        if line == "{":
            start = number
        elif line == "}" and start is not None:
            yield number - start - 1
            start = None


def main():
    lengths = []
    is_bad = False
    for path in sorted(pathlib.Path("src").rglob("*.[ch]")):
        lines = path.read_text().split("\n")[:-1]
        lengths.extend(functions(lines))
        if len(lines) > FILE_MAX:
            print(f"{path}: {len(lines)} lines, more than {FILE_MAX}")
            is_bad = True
    p90 = statistics.quantiles(lengths, n=10)[-1]
    if p90 > FUNCTION_MAX:
        print(f"a tenth of the functions have more than {p90:.0f} lines")
        is_bad = True
    if sys.argv[1:] == ["--print"]:
        print(f"{len(lengths)} functions: median {statistics.median(lengths):.0f}, "
              f"ninth decile {p90:.0f}, longest {max(lengths)} lines")
    sys.exit(is_bad)


main()
