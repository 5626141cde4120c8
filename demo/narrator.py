"""Tells what is in the journal."""

from files import count_of
from plan import COORDINATOR, LEASE_S


def tell_acquired(record):
    """A first version is the ordinary case; a hasher's next is a takeover."""
    if record["who"] == COORDINATOR:
        if record["version"] == 1:
            return (f"acquired {record['id']}, version 1, with a lease of "
                    f"{LEASE_S:.0f} s")
        return None
    if record["version"] == 1:
        return f"acquired {record['id']}, version 1"
    return f"took over {record['id']}, now version {record['version']}"


def tell_suspended(record):
    """What one execution of the root came to."""
    woken = "woken: " if record["version"] > 1 else ""
    total = count_of(record["total"], "task")
    return (f"{woken}{record['done']} of {total} done; created "
            f"{record['created']}, suspended on {record['awaited']}")


def tell_fulfilled(record):
    """The server may have crashed before it could answer."""
    text = f"fulfilled {record['id']}, version {record['version']}"
    if record["state"] != "resolved":
        text += f", with {record['state']}"
    if record["status"] != 2000:
        text += ", before the crash, as it learns now"
    return text


def tell_refused(record):
    """What the fence is there for."""
    now = f"{record['now_state']}, version {record['now_version']}"
    return (f"its answer for {record['id']}, version {record['version']}, is "
            f"REFUSED: {record['status']}, the task is {now}")


def tell_missed(record):
    """Somebody else was faster, or this very process, before a crash."""
    return f"could not acquire {record['id']}: {record['status']}"


def tell_unsuspended(record):
    """It had been suspended before, or was taken away."""
    return f"could not suspend {record['id']}: {record['status']}"


def tell_fenced(record):
    """A coordinator that lost its lease."""
    return f"could not create {record['child']}: {record['status']}"


TELL = {
    "told": lambda record: record["text"],
    "acquired": tell_acquired,
    "suspended": tell_suspended,
    "fulfilled": tell_fulfilled,
    "refused": tell_refused,
    "missed": tell_missed,
    "unsuspended": tell_unsuspended,
    "fenced": tell_fenced,
}


class Narrator:
    """Prints a line for each event that is worth one."""

    def __init__(self, began_at):
        self._began_at = began_at
        print("\n     time  who          what")

    def tell(self, records):
        """Prints what is to be told of some records."""
        for record in records:
            tell = TELL.get(record["event"])
            text = tell(record) if tell else None
            if text:
                at_s = record["at"] - self._began_at
                print(f"  {at_s:7.3f}  {record['who']:<12} {text}")
