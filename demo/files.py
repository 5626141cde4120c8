"""Lists the files that the demonstration works on.

    files.py DIR OUTPUT

Divides them among tasks, writes that to OUTPUT, once and for all, and says
what is in it and what was left out.  Fails when there is nothing to work on.

File names are bytes, and JSON has text only.  So in all that goes into the
database a name is what it is in a URL, and for most files simply the name.
"""

import collections
import json
import os
import pwd
import stat
import sys
import urllib.parse

from plan import TASKS_MAX

UNITS = {"GB": 1000 ** 3, "MB": 1000 ** 2, "kB": 1000}

# The manifest has for each file its name and a digest, and is one value.
VALUE_LIMIT = 64 << 20
DIGEST_BYTES = 80


def to_name(path):
    """What a relative path is called in the database."""
    return urllib.parse.quote(os.fsencode(path))


def to_path(name):
    """The relative path behind a name, as bytes."""
    return urllib.parse.unquote_to_bytes(name)


def reason_to_skip(path):
    """Why a file cannot be hashed, or None."""
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return "gone or not readable"
    if not stat.S_ISREG(mode):
        return "not a regular file"
    if not os.access(path, os.R_OK):
        return "gone or not readable"
    return None


def list_files(directory):
    """Names and sizes of the files, and a count of those skipped, by reason."""
    sizes = {}
    skipped = collections.Counter()

    def note_unreadable(_error):
        skipped["directory is not readable"] += 1

    for parent, directories, names in os.walk(directory,
                                              onerror=note_unreadable):
        directories.sort()
        # Links to directories are listed among them, but not followed.
        links = [name for name in directories
                 if os.path.islink(os.path.join(parent, name))]
        for name in sorted(names + links):
            path = os.path.join(parent, name)
            reason = reason_to_skip(path)
            if reason:
                skipped[reason] += 1
            else:
                relative = os.path.relpath(path, directory)
                sizes[to_name(relative)] = os.path.getsize(path)
    return sizes, skipped


def divide(names):
    """The names for each task: one, or more if there are many.

    Neighbours are alike, so they go to different tasks.
    """
    count = min(len(names), TASKS_MAX)
    return [names[start::count] for start in range(count)]


def describe_skipped(skipped):
    """One phrase for all that was skipped."""
    if not skipped:
        return "none"
    return ", ".join(f"{count} ({reason})"
                     for reason, count in sorted(skipped.items()))


def describe_bytes(count):
    """A size that can be read."""
    for unit, size in UNITS.items():
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return count_of(count, "byte")


def count_of(count, noun):
    """A number of things."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def main(directory, output):
    """Lists, reports and saves."""
    try:
        os.listdir(directory)
    except OSError as error:
        user = pwd.getpwuid(os.getuid()).pw_name
        sys.exit(f"demo: cannot read {directory!r} as user {user}: "
                 f"{error.strerror}")
    sizes, skipped = list_files(directory)
    print(f"Directory {directory!r}: {count_of(len(sizes), 'file')}, "
          f"{describe_bytes(sum(sizes.values()))}; "
          f"skipped: {describe_skipped(skipped)}.")
    if not sizes:
        sys.exit("demo: no file there can be read, so there is nothing to show")
    if sum(len(name) + DIGEST_BYTES for name in sizes) > VALUE_LIMIT:
        sys.exit(f"demo: the manifest of so many files exceeds "
                 f"{VALUE_LIMIT >> 20} MB, the limit of a value")
    with open(output, "w", encoding="utf-8") as stream:
        json.dump(divide(list(sizes)), stream)


def load(path):
    """The names for each task."""
    with open(path, encoding="utf-8") as stream:
        return json.load(stream)


if __name__ == "__main__":
    main(*sys.argv[1:])
