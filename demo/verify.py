"""What must be true at the end, checked against independent sources."""

import collections
import os
import subprocess

import worklog
from files import ID_PREFIX


class Failure(Exception):
    """The demonstration did not show what it set out to show."""


def some(names):
    """A few of many names, for a message."""
    names = sorted(names)
    return ", ".join(map(repr, names[:3])) + (", ..." if names[3:] else "")


def sha256sum(directory, paths):
    """The digests that the program sha256sum computes, by path."""
    # With "./" no name is taken for an option or for standard input; with -z
    # none is escaped.
    names = b"".join(b"./" + os.fsencode(path) + b"\0" for path in paths)
    run = subprocess.run(["xargs", "-0", "sha256sum", "-z", "--"],
                         cwd=directory, input=names, stdout=subprocess.PIPE,
                         check=False)
    if run.returncode != 0:
        raise Failure("sha256sum could not read every file")
    digests = {}
    for line in run.stdout.split(b"\0")[:-1]:
        digest, name = line.split(b"  ", 1)
        digests[os.fsdecode(name[2:])] = digest.decode()
    return digests


def check_manifest(directory, files, values):
    """The promises have the same files and digests as sha256sum."""
    expected = sha256sum(directory, [file["path"] for file in files])
    manifest = {promise_id[len(ID_PREFIX):]: value["sha256"]
                for promise_id, value in values.items()}
    if manifest != expected:
        different = [path for path in expected.keys() | manifest.keys()
                     if expected.get(path) != manifest.get(path)]
        raise Failure(f"the manifest differs from sha256sum for "
                      f"{len(different)} files, for example {some(different)} "
                      f"(did somebody write to them meanwhile?)")


class Computations:
    """What the log of the workers says."""

    def __init__(self, log_path):
        self.total = 0
        self.repeats = collections.Counter()
        self._runs = collections.defaultdict(list)
        for record in worklog.read(log_path):
            if record["event"] == "compute":
                self.total += 1
                self._runs[record["id"]].append(record)
            else:
                self.repeats[record["status"]] += 1

    def begun_late(self, settled_ms):
        """The ids that were worked on after they were settled.

        settled_ms has the time of settlement of every promise.
        """
        missing = settled_ms.keys() - self._runs.keys()
        if missing:
            raise Failure(f"settled but never computed: {some(missing)}")
        return [promise_id for promise_id, runs in self._runs.items()
                if any(run["at_ms"] > settled_ms[promise_id] for run in runs)]

    def begun_twice(self, killed_pid):
        """The ids that the killed worker took into its grave.

        Nothing else explains a second computation: the other workers kept
        their digests through the crash.
        """
        twice = {promise_id: runs for promise_id, runs in self._runs.items()
                 if len(runs) > 1}
        odd = [promise_id for promise_id, runs in twice.items()
               if len(runs) > 2 or runs[0]["pid"] != killed_pid]
        if odd:
            raise Failure(f"{len(odd)} files were computed more often than the "
                          f"kill of a worker explains: {some(odd)}")
        return list(twice)
