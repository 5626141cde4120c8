"""The story of the demonstration.

    demo.py DIR LIST JOURNAL

LIST is what files.py wrote; JOURNAL is where the workers write.  The
environment says how to reach the server, which server.sh can crash and start.
"""

import json
import os
import statistics
import subprocess
import sys
import time

import psycopg2

import verify
from crew import HERE, Crew
from database import Database
from failure import Failure, some
from files import count_of, load
from journal import Journal, Reader
from narrator import Narrator
from plan import (CHILD_PREFIX, COORDINATOR, COORDINATORS, HASHER_COUNT,
                  LEASE_S, PATIENCE_S, ROOT_ID, SCHEDULE_ID, SCHEDULE_PREFIX,
                  WINDOW)

# Let somebody get to work before anything happens to him, unless there is so
# little to do that everybody might have finished.
DONE_BEFORE_KILL = 2
FEW_TASKS = 2 * WINDOW
TICK_S = 0.05

# How long the server may take for a statement that is under way already.
UNDER_WAY_S = 0.2

# At which part of a second the server is crashed: it is down when the next one
# begins, so that the schedule misses that.
CRASH_AT_S = 0.75

# Both clocks that are compared are cut to a millisecond.
PRECISION_S = 0.002


def describe_s(seconds):
    """A duration that can be read."""
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def server(action):
    """Crashes or starts the server."""
    subprocess.run([os.path.join(HERE, "server.sh"), action], check=True)


class Demonstration:
    """Everything that the steps share."""

    def __init__(self, directory, list_path, journal_path):
        self._directory = directory
        self._list_path = list_path
        self._tasks = load(list_path)
        self._own_journal = Journal(journal_path, "demo")
        self._journal = Reader(journal_path)
        self._crew = Crew(journal_path)
        self._database = Database()
        self._narrator = Narrator(time.time())

    def run(self):
        """The whole story; answers the lines of the summary."""
        began = time.monotonic()
        try:
            created_s = self._begin()
            killed_s, vacant_a_s = self._kill_one()
            paused_s, vacant_b_s, refused_s = self._pause_one()
            down_at, up_at = self._crash()
            manifest = self._await_root()
            job_s = time.monotonic() - began
            last_s = self._end_schedule()
        finally:
            self._crew.stop()
        versions, latencies, seconds = self._verify(manifest, created_s,
                                                    last_s)
        missed = sum(down_at < second < up_at for second in seconds)
        find = self._journal.find
        wakes = len(find("acquired", who=COORDINATOR)) - 1
        repeated = sum(record["repeated"] for record
                       in find("fulfilled") + find("refused"))
        return [
            ("files in the manifest, all as sha256sum says", len(manifest)),
            ("tasks, each fulfilled exactly once", len(self._tasks)),
            *((f"  acquired {count_of(version, 'time')}", count)
              for version, count in sorted(versions.items())),
            ("heartbeats that renewed a lease", len(find("renewed"))),
            ("answers refused by the fence", len(find("refused"))),
            ("wake-ups of the coordinator", wakes),
            ("from creation to acquisition, median",
             f"{statistics.median(latencies) * 1000:.1f} ms"),
            ("task of the killed hasher taken over after",
             describe_s(killed_s)),
            ("  of which its lease had ended for", describe_s(vacant_a_s)),
            ("task of the paused hasher taken over after",
             describe_s(paused_s)),
            ("  of which its lease had ended for", describe_s(vacant_b_s)),
            ("  and its late answer refused after", describe_s(refused_s)),
            ("server down for", describe_s(up_at - down_at)),
            ("answers sent again because of that", repeated),
            ("seconds, each with a promise of the schedule", len(seconds)),
            ("  of these while the server was down", missed),
            ("invariants violated", 0),
            ("the job took", f"{job_s:.1f} s"),
        ]

    def _tell(self, text):
        """Adds a line to the story, at its place in time."""
        self._own_journal.write("told", text=text)
        self._listen()

    def _listen(self):
        """Tells what the workers have done, and sees that they live."""
        self._narrator.tell(self._journal.read())
        self._crew.check()

    def _until(self, condition, what):
        """What a condition answers, as soon as it is true."""
        give_up_at = time.monotonic() + PATIENCE_S
        while True:
            self._listen()
            result = condition()
            if result:
                return result
            if time.monotonic() > give_up_at:
                raise Failure(f"waited in vain until {what}")
            time.sleep(TICK_S)

    def _done(self):
        """The children of which a worker knows that they are fulfilled."""
        return {record["id"] for record in self._journal.find("fulfilled")
                if record["id"] != ROOT_ID}

    def _begin(self):
        """Creates root and schedule; answers when the latter was created."""
        [(status, created_s)] = self._database.query("""
            SELECT status, extract(epoch FROM created_at)::float8
            FROM resonate.create_schedule(
                %s, '* * * * * *', promise_id => %s, timeout => '1 hour')""",
            (SCHEDULE_ID, SCHEDULE_PREFIX + "{{.timestamp}}"))
        self._expect(status, 2010, "creating the schedule")
        self._tell(f"created schedule {SCHEDULE_ID}, a promise every second")
        [(status,)] = self._database.query("""
            SELECT status FROM resonate.create_promise(
                %s, timeout => '1 day', tags => %s,
                idempotency_key => 'demo')""",
            (ROOT_ID, json.dumps({"resonate:target": COORDINATORS})))
        self._expect(status, 2010, "creating the root")
        self._tell(f"created task {ROOT_ID} for {COORDINATORS}")
        self._crew.start("coordinator.py", COORDINATOR, self._list_path)
        for number in range(1, HASHER_COUNT + 1):
            self._crew.start("hasher.py", f"hasher {number}", self._directory)
        self._tell(f"started a coordinator and {HASHER_COUNT} hashers")
        return created_s

    def _expect(self, status, expected, what):
        """Fails if the answer is not what it should be."""
        if status != expected:
            raise Failure(f"{what} was answered {status}")

    def _pause_a_holder(self):
        """Stops a hasher in the middle of a task.

        Answers who it is, the task with its version, and when that was.  A
        task that was taken over before is the second choice, because it would
        have to wait before it is offered a third time.
        """
        def attempt():
            holders = self._database.query("""
                SELECT pid, id, version
                FROM resonate.search_tasks('acquired')
                WHERE starts_with(id, %s)
                ORDER BY version, id DESC""", (CHILD_PREFIX,))
            for victim, task_id, version in holders:
                self._crew.pause(victim)
                paused_at = time.time()
                self._tell(f"PAUSED {victim} (SIGSTOP), which holds {task_id}, "
                           f"version {version}")
                # It may have fulfilled the task before it could be stopped.
                time.sleep(UNDER_WAY_S)
                if self._holds(victim, task_id, version):
                    return victim, task_id, version, paused_at
                self._crew.resume(victim)
                self._tell(f"let {victim} go on (SIGCONT), for it had finished")
            return None

        return self._until(attempt, "a hasher holds a task")

    def _holds(self, name, task_id, version):
        """Whether somebody holds a task, in that version."""
        return self._database.query("""
            SELECT pid, version FROM resonate.get_task(%s)
            WHERE task_state = 'acquired'""", (task_id,)) == [(name, version)]

    def _await_takeover(self, task_id, version):
        """When a task was acquired by another, and how long after the lease.

        The journal may lack the last heartbeat of a worker that was killed; no
        lease ends before what is in it allows.
        """
        [record] = self._until(
            lambda: self._journal.find("acquired", id=task_id,
                                       version=version + 1),
            f"{task_id} is taken over")
        held_since = max(
            held["asked_at"]
            for held in self._journal.find("acquired", id=task_id,
                                           version=version) +
            self._journal.find("renewed", id=task_id, version=version))
        vacant_s = record["at"] - held_since - LEASE_S
        if vacant_s < -PRECISION_S:
            raise Failure(f"{task_id} was taken over {-vacant_s:.3f} s before "
                          f"the lease had ended")
        return record["at"], max(vacant_s, 0.0)

    def _kill_one(self):
        """A hasher dies.

        Answers how long it took until its task was taken over, and how much of
        that was after its lease.
        """
        if len(self._tasks) > FEW_TASKS:
            self._until(lambda: len(self._done()) >= DONE_BEFORE_KILL,
                        "some tasks are done")
        victim, task_id, version, _ = self._pause_a_holder()
        self._crew.kill(victim)
        killed_at = time.time()
        self._tell(f"KILLED {victim} (SIGKILL), before it could go on")
        taken_at, vacant_s = self._await_takeover(task_id, version)
        self._tell(f"that was {describe_s(taken_at - killed_at)} after the "
                   f"kill, {describe_s(vacant_s)} after the lease had ended")
        return taken_at - killed_at, vacant_s

    def _pause_one(self):
        """A hasher sleeps too long, which it cannot know.

        Answers how long it took until its task was taken over, how much of that
        was after its lease, and how long it took until its answer was refused.
        """
        victim, task_id, version, paused_at = self._pause_a_holder()
        taken_at, vacant_s = self._await_takeover(task_id, version)
        self._tell(f"that was {describe_s(taken_at - paused_at)} after the "
                   f"pause began, {describe_s(vacant_s)} after the lease had "
                   f"ended")
        self._crew.resume(victim)
        self._tell(f"let {victim} go on (SIGCONT); it works on {task_id} as if "
                   f"nothing had happened")
        [refused] = self._until(
            lambda: self._journal.find("refused", who=victim, id=task_id,
                                       version=version),
            f"the late answer of {victim} is refused")
        self._expect(refused["status"], 4090, "the late answer")
        return taken_at - paused_at, vacant_s, refused["at"] - paused_at

    def _crash(self):
        """The server dies, and comes back; answers when."""
        self._until(lambda: len(self._done()) >= len(self._tasks) // 2,
                    "half of the tasks are done")
        self._sleep_until(CRASH_AT_S)
        server("crash")
        down_at = time.time()
        self._tell("CRASHED the server (immediate mode)")
        done = self._done()
        self._sleep_until(0)
        server("start")
        resolved = {promise_id for promise_id, state, _, _
                    in self._database.search(CHILD_PREFIX + "*")
                    if state == "resolved"}
        up_at = time.time()
        lost = done - resolved
        if lost:
            raise Failure(f"{len(lost)} answers were lost in the crash: "
                          f"{some(lost)}")
        self._tell(f"started the server; {count_of(len(done), 'answer')} "
                   f"given before, none lost; all workers reconnect")
        return down_at, up_at

    def _sleep_until(self, part_s):
        """Sleeps until a second is so old."""
        time.sleep((part_s - time.time()) % 1)

    def _await_root(self):
        """The manifest, when it is there."""
        def settled():
            [(status, state, value)] = self._database.query("""
                SELECT status, state, value
                FROM resonate.await_promise(%s, '200 ms')""", (ROOT_ID,))
            return (state, value) if status != 4080 else None

        state, value = self._until(settled, "the root is settled")
        self._until(lambda: self._journal.find("fulfilled", id=ROOT_ID),
                    "the coordinator knows that, too")
        self._tell(f"awaited {ROOT_ID}: {state}")
        if state != "resolved":
            raise Failure(f"{ROOT_ID} ended as {state} with {value}")
        return value

    def _end_schedule(self):
        """Deletes the schedule; answers when it fired for the last time."""
        [(last_s, status)] = self._database.query("""
            SELECT extract(epoch FROM last_run_at)::float8,
                   resonate.delete_schedule(id)
            FROM resonate.get_schedule(%s)""", (SCHEDULE_ID,))
        self._expect(status, 2000, "deleting the schedule")
        self._tell(f"deleted schedule {SCHEDULE_ID}")
        return last_s

    def _verify(self, manifest, created_s, last_s):
        """Checks everything.

        Answers how many children ended in which version, how long each waited
        for its first worker, and the seconds on which the schedule fired.
        """
        self._listen()
        self._tell("comparing the manifest with sha256sum, and the journal of "
                   "the workers with the tasks")
        verify.check_manifest(self._directory,
                              [name for names in self._tasks for name in names],
                              manifest)
        versions = verify.check_children(self._database, self._journal,
                                         len(self._tasks))
        seconds = verify.check_schedule(self._database, created_s, last_s)
        verify.check_invariants()
        return versions, self._latencies(), seconds

    def _latencies(self):
        """How long each child existed before it was acquired."""
        created = {promise_id: created_at for promise_id, _, _, created_at
                   in self._database.search(CHILD_PREFIX + "*")}
        return [record["at"] - created[record["id"]]
                for record in self._journal.find("acquired", version=1)
                if record["id"] != ROOT_ID]


def print_summary(lines):
    """A table of two columns."""
    print()
    for name, value in lines:
        print(f"    {name:<48} {value:>8}")
    print("\nEverything was as it should be.")


def main(directory, list_path, journal_path):
    """Tells the story; fails when it did not come true."""
    try:
        print_summary(Demonstration(directory, list_path, journal_path).run())
    except (Failure, psycopg2.Error,
            subprocess.CalledProcessError) as error:
        sys.exit(f"\ndemo: FAILED: {error or type(error).__name__}")


if __name__ == "__main__":
    main(*sys.argv[1:])
