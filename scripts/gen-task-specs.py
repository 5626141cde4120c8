#!/usr/bin/env python3
"""Writes the isolation tests of every pair of operations on tasks.

Usage: scripts/gen-task-specs.py [--check]

Writes test/specs/task_pair_*.spec; with --check, compares them with what is
there, and checks that their expected output is serially equivalent, as follows.

A "world" is what is stored at the start, and the operations that are made in
it; each has one file.  In there, session s1 makes each of the operations and
does not commit; session s2 makes each of them, too, the same one included, and
s1 then commits or rolls back.  Everything happens at the same instant.  For two
operations to be correct together,

  * after COMMIT, both answers and all that is stored must be what they are when
    one session makes its operation after the other one has committed, in one
    of the two orders.  "s1_X s1_commit s2_Y" is one of them; the other is
    "s1_Y s1_commit s2_X" with s1 and s2 exchanged;
  * after ROLLBACK, the answer to s2 and all that is stored must be what they are
    when only s2 does anything: that is "s1_Y s1_commit".

Operations that skip what others have locked may do so, because somebody else
will come by later.  Where one takes part, each permutation ends with the step
s2_rest, which does what has been skipped, and its own answer is not compared.

--check looks at expected/; with RSN_RESULTS, at the results in that directory.
"""

import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DIRECTORY = Path(os.environ.get("RSN_RESULTS", ROOT / "expected"))

# name -> SQL; "%s" is the session.  There can be no braces in a specification.
OPERATIONS = {
    "register":
        "SELECT rpc_register('x', 't');",
    "register_on":
        "SELECT rpc_register('t', 'u');",
    "suspend":
        "SELECT status, task_state FROM suspend_task('t', 1, ARRAY['y', 'x']);",
    "suspend_on":
        "SELECT status, task_state FROM suspend_task('u', 1, ARRAY['x', 't']);",
    "fence_create":
        "SELECT status, inner_status, param FROM fence_task('t', 1, 'create', "
        "item('n', '%s'));",
    "fence_create_t":
        "SELECT status, inner_status, param FROM fence_task('u', 1, 'create', "
        "item('t', '%s'));",
    "fence_settle":
        "SELECT status, inner_status, value FROM fence_task('t', 1, 'settle', "
        "settlement('x', '%s'));",
    "fence_settle_y":
        "SELECT status, inner_status, value FROM fence_task('u', 1, 'settle', "
        "settlement('y', '%s'));",
    "heartbeat":
        "SELECT heartbeat_tasks('w', ARRAY['u', 't'], ARRAY[1, 1]);",
    "settle":
        "SELECT status, value FROM resolve('x', '\"%s\"');",
    "settle_batch":
        "SELECT id, status, value FROM settle_promises(jsonb_build_array("
        "settlement('y', '%s'), settlement('t', '%s'), "
        "settlement('x', '%s')));",
    "settle_own":
        "SELECT status, value FROM reject('t', '\"%s\"');",
    "fulfill":
        "SELECT status, task_state, value "
        "FROM fulfill_task('t', 1, 'resolved', '\"%s\"');",
    "release":
        "SELECT status, task_state FROM release_task('t', 1);",
    "acquire":
        "SELECT status, task_state, version "
        "FROM acquire_task('t', 1, '%s', '1 h');",
    "acquire_new":
        "SELECT status, task_state, version "
        "FROM acquire_task('t', 0, '%s', '1 h');",
    "take":
        "SELECT rpc_take('t', '%s');",
    "create":
        "SELECT status, param "
        "FROM create_promise('t', '1 h', '\"%s\"', tags => target());",
    "create_batch":
        "SELECT id, status, param FROM create_promises(jsonb_build_array("
        "item('z', '%s'), item('t', '%s'), item('n', '%s')));",
    "halt":
        "SELECT status, task_state FROM halt_task('t');",
    "continue":
        "SELECT status, task_state FROM continue_task('t');",
    "get":
        "SELECT status, task_state, version, resumes, pid, state "
        "FROM get_task('t');",
    "sweep":
        "SELECT process_timeouts();",
    "dequeue":
        "SELECT task_id, version FROM dequeue_execute('poll://any@g') "
        "ORDER BY 1;",
}

SKIPPING = ("sweep", "dequeue")

# What there is in every world: promises that can be awaited, x and y; one whose
# deadline has passed unnoticed, d; a task u that w holds, and one to be
# dequeued, q.  The tasks a and z await x and d.
COMMON = """
\t\tPERFORM create_promise('x', '1 h');
\t\tPERFORM create_promise('y', '1 h');
\t\tPERFORM create_promise('d', '900 ms');
\t\tPERFORM create_callback('x', 'cb', 'poll://any@c');
\t\tPERFORM create_promise('q', '1 h', tags => target());
\t\tPERFORM create_promise_and_task('a', 'w', '1 h', '1 h', tags => target());
\t\tPERFORM create_promise_and_task('u', 'w', '500 ms', '1 h', tags => target());
\t\tPERFORM create_promise_and_task('z', 'w', '1 h', '1 h', tags => target());
\t\tPERFORM suspend_task('a', 1, ARRAY['d', 'x']);
\t\tPERFORM suspend_task('z', 1, ARRAY['d', 'x']);
"""

# A schedule that creates the promise %s at the instant of the operations.
SCHEDULE = """\
\t\tPERFORM create_schedule('s', '* * * * * *', '%s', '1 h', '"s"',
\t\t\ttags => target());
"""

# A task t that w holds and a awaits.  Whoever held it before has awaited d.
HOLD = """\
\t\tPERFORM create_promise_and_task('t', 'w', '500 ms', '%s', tags => target());
\t\tPERFORM create_callback('t', 'cb', 'poll://any@c');
\t\tPERFORM rpc_register('t', 'a');
\t\tPERFORM rpc_register('d', 't');
"""

# name -> (what it is, how it comes about, operations)
WORLDS = {
    "acquired": (
        "w holds the task t.  Its lease has ended, but nobody has noticed.",
        COMMON + SCHEDULE % "n" + HOLD % "1 h",
        ("register", "suspend", "fence_create", "fence_settle", "heartbeat",
         "settle", "settle_own", "fulfill", "release", "acquire", "halt",
         "sweep", "dequeue")),
    "suspended": (
        "The task t awaits x, y and d.",
        COMMON + HOLD % "1 h" + """\
\t\tPERFORM suspend_task('t', 1, ARRAY['y', 'x']);
""",
        ("register", "fence_settle_y", "settle", "settle_batch", "settle_own",
         "acquire", "halt", "sweep", "dequeue")),
    "pending": (
        "The task t is to be acquired.  Whoever held it before has awaited x.",
        COMMON + """\
\t\tPERFORM create_promise('t', '1 h', tags => target());
\t\tPERFORM rpc_register('t', 'a');
\t\tPERFORM rpc_register('x', 't');
""",
        ("settle", "settle_own", "acquire_new", "take", "halt", "dequeue")),
    "halted": (
        "The task t is halted.  It awaits y and d.",
        COMMON + HOLD % "1 h" + """\
\t\tPERFORM suspend_task('t', 1, ARRAY['y']);
\t\tPERFORM halt_task('t');
""",
        ("fence_settle_y", "settle_batch", "halt", "continue", "sweep")),
    "absent": (
        "There is no promise t.",
        COMMON + SCHEDULE % "t",
        ("register_on", "suspend_on", "fence_create_t", "acquire_new", "take",
         "create", "create_batch", "sweep")),
    "lapsed": (
        "w holds the task t, whose deadline has passed, but nobody has noticed.",
        COMMON + HOLD % "800 ms" + """\
\t\tPERFORM rpc_register('x', 't');
""",
        ("register_on", "suspend", "fence_create", "heartbeat", "settle",
         "fulfill", "take", "halt", "get", "sweep")),
}

FILE = """# Generated by scripts/gen-task-specs.py, which says what must hold.
#
# {title}
#
# All instants count from the one at which this is set up; the operations are
# made 1000 ms later.

setup
{{
\tCREATE EXTENSION IF NOT EXISTS resonate;
\tDELETE FROM resonate.messages;
\tDELETE FROM resonate.callbacks;
\tDELETE FROM resonate.awaiters;
\tDELETE FROM resonate.promises;
\tDELETE FROM resonate.schedules;
\tCREATE OR REPLACE VIEW public.stored_all AS
\t\tSELECT (SELECT string_agg(concat_ws(' ', id, state, 'v' || version,
\t\t\t\t\t'r' || resumes, 'b' || setbacks,
\t\t\t\t\t'+' || clock_at - 4000000000000, pid), ', ' ORDER BY id)
\t\t\t\tFROM resonate.tasks) AS tasks,
\t\t\t(SELECT string_agg(concat_ws(' ', id, nullif(state, 'pending'),
\t\t\t\t\t'+' || settled_at - 4000000000000, 'v' || task_version,
\t\t\t\t\tconvert_from(coalesce(value_data, param_data), 'UTF8')),
\t\t\t\t\t', ' ORDER BY id)
\t\t\t\tFROM resonate.promises) AS promises,
\t\t\t(SELECT string_agg(awaiter_id || '>' || awaited_id, ' '
\t\t\t\t\tORDER BY awaiter_id, awaited_id)
\t\t\t\tFROM resonate.awaiters) AS awaiters,
\t\t\t(SELECT string_agg(promise_id, ' ' ORDER BY promise_id)
\t\t\t\tFROM resonate.callbacks) AS callbacks,
\t\t\t(SELECT string_agg(promise_id, ' ' ORDER BY promise_id)
\t\t\t\tFROM resonate.messages) AS messages,
\t\t\t(SELECT string_agg(concat_ws(' ', id,
\t\t\t\t\t'+' || next_run_at - 4000000000000), ', ' ORDER BY id)
\t\t\t\tFROM resonate.schedules) AS schedules;
\tCREATE OR REPLACE FUNCTION public.target() RETURNS jsonb
\tLANGUAGE sql AS $$
\t\tSELECT jsonb_build_object('resonate:target', 'poll://any@g');
\t$$;
\tCREATE OR REPLACE FUNCTION public.item(id text, param text) RETURNS jsonb
\tLANGUAGE sql AS $$
\t\tSELECT jsonb_build_object('id', id, 'timeout', '1 h', 'param', param,
\t\t\t'tags', public.target());
\t$$;
\tCREATE OR REPLACE FUNCTION public.settlement(id text, value text) RETURNS jsonb
\tLANGUAGE sql AS $$
\t\tSELECT jsonb_build_object('id', id, 'state', 'resolved', 'value', value);
\t$$;
\tCREATE OR REPLACE FUNCTION public.rpc(kind text, data jsonb) RETURNS text
\tLANGUAGE sql AS $$
\t\tSELECT concat_ws(' ', r->'head'->>'status', r->'data'->'promise'->>'state',
\t\t\tr->'data'->'task'->>'state', r->'data'->'task'->>'version')
\t\t\tFROM resonate.resonate_rpc(jsonb_build_object('kind', kind, 'data', data,
\t\t\t\t'head', jsonb_build_object('corrId', '', 'version', '2026-04-01'))) AS r;
\t$$;
\tCREATE OR REPLACE FUNCTION public.rpc_register(awaited text, awaiter text)
\tRETURNS text LANGUAGE sql AS $$
\t\tSELECT public.rpc('promise.register_callback',
\t\t\tjsonb_build_object('awaited', awaited, 'awaiter', awaiter));
\t$$;
\tCREATE OR REPLACE FUNCTION public.rpc_take(id text, pid text)
\tRETURNS text LANGUAGE sql AS $$
\t\tSELECT public.rpc('task.create', jsonb_build_object('pid', pid,
\t\t\t'ttl', 3600000, 'action', jsonb_build_object('kind', 'promise.create',
\t\t\t'head', '1', 'data', jsonb_build_object('id', id,
\t\t\t\t'timeoutAt', 4000003600000, 'tags', public.target()))));
\t$$;
\tCREATE OR REPLACE FUNCTION public.rest() RETURNS void
\tLANGUAGE plpgsql AS $$
\tBEGIN
\t\tPERFORM resonate.process_timeouts();
\t\tPERFORM resonate.dequeue_execute('poll://any@g');
\tEND
\t$$;

\tDO $$
\tBEGIN
\t\tSET LOCAL search_path = resonate, public;
\t\tSET LOCAL resonate.debug = on;
\t\tSET LOCAL resonate.test_clock = '4000000000000';
{setup}\tEND
\t$$;
}}
teardown
{{
\tTABLE public.stored_all;
}}

session s1
setup
{{
\tSET search_path = resonate, public;
\tSET resonate.debug = on;
\tSET resonate.test_clock = '4000000001000';
\tBEGIN;
}}
{steps1}step s1_commit {{ COMMIT; }}
step s1_rollback {{ ROLLBACK; }}

session s2
setup
{{
\tSET search_path = resonate, public;
\tSET resonate.debug = on;
\tSET resonate.test_clock = '4000000001000';
}}
{steps2}step s2_rest {{ SELECT rest(); }}

# Each operation by itself
{alone}{pairs}"""


def steps(session, names):
    """The steps of a session."""
    return "".join("step %s_%s { %s }\n" %
                   (session, name, OPERATIONS[name].replace("%s", session))
                   for name in names)


def permutations(first, second):
    """What is made of two operations: serial, committed and rolled back."""
    rest = ["s2_rest"] if first in SKIPPING or second in SKIPPING else []
    first = "s1_" + first
    second = "s2_" + second
    return [tuple([first, "s1_commit", second] + rest),
            tuple([first, second, "s1_commit"] + rest),
            tuple([first, second, "s1_rollback"] + rest)]


def alone(name, is_rested):
    """One operation and nothing else."""
    return tuple(["s1_" + name, "s1_commit"] + ["s2_rest"] * is_rested)


def lines(all_steps):
    """Permutations as the specification has them."""
    return "".join("permutation %s\n" % " ".join(s) for s in all_steps)


def spec(world):
    """The file for a world."""
    title, setup, names = WORLDS[world]
    return FILE.format(
        title=title, setup=setup.lstrip("\n"), steps1=steps("s1", names),
        steps2=steps("s2", names),
        alone=lines(alone(name, is_rested) for name in names
                    for is_rested in (False, True)),
        pairs="".join("\n# First: %s\n" % first +
                      "".join(lines(permutations(first, second))
                              for second in names)
                      for first in names))


def file_name(world):
    """The name of that file, without its extension."""
    return "task_pair_" + world


def specs():
    """All files, by name."""
    return {file_name(world): spec(world) for world in WORLDS}


class Outcome:
    """What one permutation gave."""

    def __init__(self, text):
        body, self.stored = re.split(r"^tasks +\|promises .*\n", text,
                                     flags=re.MULTILINE)
        self.answers = {}
        for part in re.split(r"^step (?=\w+: )", body, flags=re.MULTILINE)[1:]:
            name, result = part.split(":", 1)
            head, _, result = result.partition("\n")
            if not head.endswith("<waiting ...>"):
                self.answers[name] = result.strip()
        self.stored = self.stored.strip()

    def of(self, session, operation):
        """The answer that a session got, if it counts, and what is stored."""
        if operation in SKIPPING:
            return self.stored
        return self.answers["%s_%s" % (session, operation)] + self.stored


def exchanged(text):
    """The same with s1 in the place of s2, and the reverse."""
    return text.replace("s1", "s0").replace("s2", "s1").replace("s0", "s2")


def read_outcomes(path):
    """The outcomes in a file, by permutation."""
    parts = path.read_text().split("\nstarting permutation: ")[1:]
    outcomes = {}
    for part in parts:
        steps, _, text = part.partition("\n")
        outcomes[tuple(steps.split())] = Outcome(text)
    return outcomes


def both(outcome, first, second):
    """What counts of an outcome: both answers, and what is stored."""
    return outcome.of("s1", first), outcome.of("s2", second)


def is_committed_right(outcomes, first, second):
    """Is the outcome of two operations that both commit a serial one."""
    serial, committed, _ = permutations(first, second)
    reverse = both(outcomes[permutations(second, first)[0]], second, first)
    return both(outcomes[committed], first, second) in (
        both(outcomes[serial], first, second),
        (exchanged(reverse[1]), exchanged(reverse[0])))


def is_rolled_back_right(outcomes, first, second):
    """Is there nothing left of an operation that was rolled back."""
    _, _, rolled_back = permutations(first, second)
    lonely = outcomes[alone(second, "s2_rest" in rolled_back)]
    return outcomes[rolled_back].of("s2", second) == \
        exchanged(lonely.of("s1", second))


def check_expected():
    """Complaints about expected outputs that are not serially equivalent."""
    for world, (_, _, names) in WORLDS.items():
        name = file_name(world) + ".out"
        outcomes = read_outcomes(DIRECTORY / name)
        for first in names:
            for second in names:
                _, committed, rolled_back = permutations(first, second)
                bad = []
                if not is_committed_right(outcomes, first, second):
                    bad.append(committed)
                if not is_rolled_back_right(outcomes, first, second):
                    bad.append(rolled_back)
                for wrong in bad:
                    yield "%s: not serially equivalent: %s" % (
                        name, " ".join(wrong))


def check_specs():
    """Complaints about specs that are not what they should be."""
    directory = ROOT / "test" / "specs"
    wanted = specs()
    for path in sorted(directory.glob("task_pair_*.spec")):
        if path.stem not in wanted:
            yield "%s is not wanted any more" % path.name
    for name, text in wanted.items():
        path = directory / (name + ".spec")
        if not path.exists() or path.read_text() != text:
            yield "%s is not as scripts/gen-task-specs.py writes it" % path.name


def main():
    """Writes all files, or checks them."""
    if sys.argv[1:] not in ([], ["--check"]):
        sys.exit(__doc__)
    if not sys.argv[1:]:
        for name, text in specs().items():
            (ROOT / "test" / "specs" / (name + ".spec")).write_text(text)
        return
    complaints = list(check_specs())
    if not complaints:
        complaints = list(check_expected())
    for complaint in complaints:
        print(complaint)
    sys.exit(1 if complaints else 0)


if __name__ == "__main__":
    main()
