"""Lists the files that the demonstration works on.

    files.py DIR OUTPUT

Writes the list to OUTPUT, once and for all, and says what is in it and what
was left out.  Fails when there is nothing to work on.
"""

import collections
import json
import os
import pwd
import stat
import sys

ID_PREFIX = "sha256/"
ID_LIMIT = 1024

UNITS = {"GB": 1000 ** 3, "MB": 1000 ** 2, "kB": 1000}


def reason_to_skip(name, path):
    """Why there can be no promise for a file, or None.

    name is relative to the directory and becomes the id; path leads there.
    """
    try:
        promise_id = (ID_PREFIX + name).encode("utf-8")
    except UnicodeEncodeError:
        return "name is not UTF-8"
    if len(promise_id) > ID_LIMIT:
        return "name is too long for an id"
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
    """The files below a directory and a count of those skipped, by reason."""
    files = []
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
            relative = os.path.relpath(path, directory)
            reason = reason_to_skip(relative, path)
            if reason:
                skipped[reason] += 1
            else:
                files.append({"path": relative, "bytes": os.path.getsize(path)})
    return files, skipped


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
    files, skipped = list_files(directory)
    print(f"Directory {directory!r}: {count_of(len(files), 'file')}, "
          f"{describe_bytes(sum(file['bytes'] for file in files))}; "
          f"skipped: {describe_skipped(skipped)}.")
    if not files:
        sys.exit("demo: no file there can be read, so there is nothing to show")
    with open(output, "w", encoding="utf-8") as stream:
        json.dump({"files": files, "skipped": skipped}, stream)


if __name__ == "__main__":
    main(*sys.argv[1:])
