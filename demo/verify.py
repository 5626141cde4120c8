"""What must be true at the end, checked against independent sources."""

import collections
import os
import subprocess

import psycopg2

from failure import Failure, some
from files import to_name, to_path
from plan import CHILD_PREFIX, SCHEDULE_ID, SCHEDULE_PREFIX

# As whom run.sh has made the cluster; the demonstration itself has no such
# privileges.
SUPERUSER = "postgres"


def sha256sum(directory, names):
    """The digests that the program sha256sum computes, by name."""
    # With "./" no file is taken for an option or for standard input; with -z
    # none is escaped.
    paths = b"".join(b"./" + to_path(name) + b"\0" for name in names)
    run = subprocess.run(["xargs", "-0", "sha256sum", "-z", "--"],
                         cwd=directory, input=paths, stdout=subprocess.PIPE,
                         check=False)
    if run.returncode != 0:
        raise Failure("sha256sum could not read every file")
    digests = {}
    for line in run.stdout.split(b"\0")[:-1]:
        digest, path = line.split(b"  ", 1)
        digests[to_name(os.fsdecode(path[2:]))] = digest.decode()
    return digests


def check_manifest(directory, names, manifest):
    """The manifest has the same files and digests as sha256sum."""
    expected = sha256sum(directory, names)
    if manifest != expected:
        different = [name for name in expected.keys() | manifest.keys()
                     if expected.get(name) != manifest.get(name)]
        raise Failure(f"the manifest differs from sha256sum for "
                      f"{len(different)} files, for example {some(different)} "
                      f"(did somebody write to them meanwhile?)")


def check_children(database, journal, count):
    """Each child was fulfilled by one worker, and by the last to acquire it.

    Answers how many children ended in which version.
    """
    versions = collections.Counter()
    children = [promise_id for promise_id, _, _, _
                in database.search(CHILD_PREFIX + "*")]
    if len(children) != count:
        raise Failure(f"there are {len(children)} tasks instead of {count}")
    for child in children:
        [(task_state, version, state)] = database.query(
            "SELECT task_state, version, state FROM resonate.get_task(%s)",
            (child,))
        if (task_state, state) != ("fulfilled", "resolved"):
            raise Failure(f"{child} is {task_state}, and {state}")
        fulfilled = [record["version"] for record
                     in journal.find("fulfilled", id=child)]
        if fulfilled != [version]:
            raise Failure(f"{child} is in version {version}, but the workers "
                          f"fulfilled versions {fulfilled}")
        acquired = [record["version"] for record
                    in journal.find("acquired", id=child)]
        if len(set(acquired)) != len(acquired) or max(acquired) != version:
            raise Failure(f"{child} is in version {version}, but the workers "
                          f"acquired versions {acquired}")
        versions[version] += 1
    return versions


def check_schedule(database, created_s, last_s):
    """There is one promise for each second; answers all these seconds.

    created_s is when the schedule was created, last_s its last occurrence.
    """
    seconds = sorted(int(promise_id[len(SCHEDULE_PREFIX):]) / 1000
                     for promise_id, _, _, _
                     in database.search(SCHEDULE_PREFIX + "*"))
    expected = [float(second) for second
                in range(int(created_s) + 1, int(last_s) + 1)]
    if seconds != expected:
        raise Failure(f"{SCHEDULE_ID} fired {len(seconds)} times instead of "
                      f"{len(expected)}, at {seconds}")
    return seconds


def check_invariants():
    """The database finds nothing wrong with what it has stored."""
    with psycopg2.connect("", user=SUPERUSER) as connection:
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM resonate.check_invariants()")
            violated = [name for name, in cursor]
    if violated:
        raise Failure(f"invariants do not hold: {some(violated)}")
