#!/usr/bin/env python3
"""mutate.py list | sample N SEED | show ID | apply ID

Mutants of the files that make up the background: each is one small change of one
line of code that a test ought to notice.  An id is FILE:LINE:OPERATOR:N, where N
counts the places of that operator in the line.  "sample" draws from all of them,
the same for the same seed, with as many of each file as it has places.
"""

import random
import re
import sys

FILES = [
    "worker/launcher.c", "worker/databases.c", "worker/loop.c", "worker/look.c",
    "worker/plan.c", "worker/place.c", "signal/start.c", "worker/run.c", "signal/slot.c",
    "signal/wake.c", "signal/wake_note.c", "signal/handoff.c", "worker/deliver.c",
    "worker/step.c", "worker/work.c", "worker/count.c", "worker/call.c",
    "worker/set_aside.c", "worker/switch.c", "store/trigger.c",
]

SWAPS = [
    ("relation", r" < ", " <= "), ("relation", r" <= ", " < "),
    ("relation", r" > ", " >= "), ("relation", r" >= ", " > "),
    ("equal", r" == ", " != "), ("equal", r" != ", " == "),
    ("logic", r" && ", " || "), ("logic", r" \|\| ", " && "),
    ("sign", r" \+ ", " - "), ("sign", r" - ", " + "),
    ("extreme", r"\bMin\(", "Max("), ("extreme", r"\bMax\(", "Min("),
    ("truth", r"\btrue\b", "false"), ("truth", r"\bfalse\b", "true"),
    ("number", r"(?<=, )0(?=\))", "1"), ("number", r"(?<=, )1(?=\))", "0"),
    ("number", r"(?<== )0(?=;)", "1"), ("number", r"(?<== )1(?=;)", "0"),
    ("never", r"\bRSN_TIME_NEVER\b", "0"),
    ("exit", r"\bRSN_EXIT_YIELDED\b", "RSN_EXIT_FAILED"),
    ("exit", r"\bRSN_EXIT_ABSENT\b", "RSN_EXIT_FAILED"),
    ("exit", r"\bRSN_EXIT_OFF\b", "RSN_EXIT_FAILED"),
    ("exit", r"\bRSN_EXIT_TURN\b", "RSN_EXIT_YIELDED"),
    ("exit", r"\bRSN_EXIT_FAILED\b", "RSN_EXIT_ABSENT"),
    ("reconcile", r"\bRSN_RECONCILE_(MORE|FOREIGN_ROWS)\b", "RSN_RECONCILE_NO"),
]

# A statement of one line that can go.
STATEMENT = re.compile(r"^\t+(\(void\) )?[a-z][\w\->.\[\]&*]*( [|+-]?= .*|\(.*\)|\+\+|--);$")
CONDITION = re.compile(r"^(\t+(?:\} )?(?:else )?(?:if|while) )\((.*)\)$")
# What only describes, or reports, or is not compiled.
EXCLUDED = re.compile(r"^\s*(/?\*|#|ereport|Assert|StaticAssert|err\w+\(|\(err"
                      r"|elog|pfree|for \(|typedef|extern|static \w+ \*?const)")


def mutants_of(name):
    with open("src/" + name) as f:
        lines = f.read().split("\n")
    in_comment = False
    in_body = False
    for number, line in enumerate(lines, 1):
        if line == "{":
            in_body = True
        elif line.startswith("}"):
            in_body = False
        start_of_comment = "/*" in line and "*/" not in line
        if in_comment or start_of_comment:
            in_comment = "*/" not in line
            continue
        code = re.sub(r"\s*/\*.*?\*/", "", line)
        if not in_body or not code.strip() or EXCLUDED.match(code):
            continue
        if '"' in code and "errmsg" in code:
            continue
        condition = CONDITION.match(code)
        if condition:
            yield (name, number, "negate", 0,
                   "%s(!(%s))" % condition.groups())
        # A declaration is no statement: a type, blanks, a name.
        if STATEMENT.match(code) and not re.match(r"^\t+\w+\s{2,}", code):
            yield (name, number, "delete", 0,
                   re.match(r"^\t+", code).group() + ";")
        if code.strip() == "break;" or re.match(r"^\t+return;$", code):
            yield (name, number, "delete", 0, re.match(r"^\t+", code).group() + ";")
        for operator, pattern, other in SWAPS:
            for place, match in enumerate(re.finditer(pattern, code)):
                changed = code[:match.start()] + other + code[match.end():]
                yield (name, number, "%s%s" % (operator, pattern.strip(r"\b ")),
                       place, changed)


def all_mutants():
    return [m for name in FILES for m in mutants_of(name)]


def identify(mutant):
    name, number, operator, place, _ = mutant
    return "%s:%d:%s:%d" % (name, number, re.sub(r"[^\w<>=&|+!-]", "", operator),
                            place)


def find(wanted):
    for mutant in all_mutants():
        if identify(mutant) == wanted:
            return mutant
    sys.exit("there is no mutant " + wanted)


def main(arguments):
    command = arguments[0] if arguments else ""
    if command == "list":
        for mutant in all_mutants():
            print(identify(mutant))
    elif command == "sample":
        mutants = all_mutants()
        random.Random(int(arguments[2])).shuffle(mutants)
        for mutant in mutants[:int(arguments[1])]:
            print(identify(mutant))
    elif command in ("show", "apply"):
        name, number, _, _, changed = find(arguments[1])
        with open("src/" + name) as f:
            lines = f.read().split("\n")
        print("-" + lines[number - 1])
        print("+" + changed)
        if command == "apply":
            lines[number - 1] = changed
            with open("src/" + name, "w") as f:
                f.write("\n".join(lines))
    else:
        sys.exit(__doc__)


main(sys.argv[1:])
