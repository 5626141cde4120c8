"""The story of the demonstration.

    demo.py DIR FILES LOG

FILES is what files.py wrote; LOG is where the workers write.  The environment
says how to reach the server, which server.sh can crash and start.
"""

import collections
import json
import os
import subprocess
import sys
import time

import psycopg2

from database import Database
from files import ID_PREFIX, count_of
from listener import CHANNEL, ConnectionLost, Listener
from verify import Computations, Failure, check_manifest, some

HERE = os.path.dirname(os.path.abspath(__file__))
EVERY_ID = f"{ID_PREFIX}*"
ADDRESS = f"notify://{CHANNEL}"
WORKERS = 4
BATCH = 1000
TICK_S = 0.05

# A small directory would be done before anybody could interrupt it.
LEAST_RUN_S = 8.0
LONGEST_PACE_S = 0.25

DEADLINE_S = 1.5

# More than any of this takes on a busy machine.
NOTIFY_PATIENCE_S = 30.0


class Progress:
    """One line that changes on a terminal, or a line for every tenth."""

    def __init__(self, total):
        self._total = total
        self._is_terminal = sys.stdout.isatty()
        self._shown = 0
        self._next_at = 0.0

    def show(self, done):
        """Call as often as you like."""
        if self._is_terminal:
            if done == self._total or time.monotonic() >= self._next_at:
                self._next_at = time.monotonic() + 0.1
                print(f"\r{self._line(done)}", end="", flush=True)
        elif done * 10 // self._total > self._shown:
            self._shown = done * 10 // self._total
            print(self._line(done))

    def interrupt(self, done):
        """The line as it is now; what follows starts a new one."""
        if self._is_terminal:
            print(f"\r{self._line(done)}")

    def _line(self, done):
        return (f"    {done} of {self._total} files done "
                f"({done * 100 // self._total} %)")


class Workers:
    """The processes that compute, one for each share."""

    def __init__(self, directory, log_path, pace_s):
        self._arguments = directory, log_path
        self._pace_s = pace_s
        self._processes = {}
        # The workers only append to it.
        with open(log_path, "wb"):
            pass

    def start(self, share):
        """Starts the worker of a share, or the successor of one."""
        self._processes[share] = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "worker.py"),
             *self._arguments, str(share), str(self._pace_s)])

    def kill(self, share):
        """Kills a worker, which cannot notice, and answers its process id."""
        process = self._processes.pop(share)
        if process.poll() is not None:
            raise Failure(f"worker {share} ended before it could be killed")
        process.kill()
        process.wait()
        return process.pid

    def are_running(self):
        """Whether any has not finished; it is a failure if one has failed."""
        statuses = [process.poll() for process in self._processes.values()]
        failed = [status for status in statuses if status]
        if failed:
            raise Failure(f"a worker ended with status {failed[0]}")
        return None in statuses

    def stop(self):
        """Ends those that a failure has left; signals end all by themselves."""
        for process in self._processes.values():
            process.kill()
            process.wait()


def server(action):
    """Crashes or starts the server."""
    subprocess.run([os.path.join(HERE, "server.sh"), action], check=True)


def share_of(position):
    """To which worker the file at a position of the list belongs."""
    return position % WORKERS


def create_batch(database, batch):
    """Creates promises with callbacks, in one statement, so both or none.

    Answers how often which status was given, for either.
    """
    return database.query("""
        SELECT promise.status, callback.status
        FROM resonate.create_promises(%s) AS promise
        CROSS JOIN LATERAL
            resonate.create_callback(promise.id, 'demo', %s) AS callback""",
                          (json.dumps(batch), ADDRESS))


def create_promises(database, files):
    """One promise per file.  Answers how often which statuses were given."""
    promises = [{"id": ID_PREFIX + file["path"],
                 "timeout": "1 day",
                 "param": {"path": file["path"]},
                 "tags": {"share": str(share_of(position))},
                 "idempotency_key": "demo"}
                for position, file in enumerate(files)]
    statuses = collections.Counter()
    for start in range(0, len(promises), BATCH):
        statuses.update(create_batch(database, promises[start:start + BATCH]))
    return statuses


class Demonstration:
    """Everything that the steps share."""

    def __init__(self, directory, files, log_path):
        self._directory = directory
        self._files = files
        self._log_path = log_path
        self._database = Database()
        self._listener = Listener()
        self._progress = Progress(len(files))
        self._pace_s = min(LONGEST_PACE_S, LEAST_RUN_S * WORKERS / len(files))
        self._workers = Workers(directory, log_path, self._pace_s)
        # What is known to be done, and how it came to be known.
        self._done = set()
        self._announced = set()
        self._announced_again = 0
        self._found = set()

    def run(self):
        """The whole story; answers the lines of the summary."""
        began = time.monotonic()
        try:
            self._create()
            self._start()
            self._watch(self._half_way)
            victim, killed_pid, downtime_s = self._crash()
            self._catch_up()
            self._create_again()
            self._replace(victim)
            self._watch(lambda: len(self._done) == len(self._files))
            self._await_end_of_workers()
        finally:
            self._workers.stop()
        elapsed_s = time.monotonic() - began
        summary = self._verify(killed_pid)
        lateness_ms = self._show_deadline()
        return [*summary,
                ("server down for", f"{downtime_s:.1f} s"),
                ("the job took, crash included", f"{elapsed_s:.1f} s"),
                ("NOTIFY of the deadline was late by", f"{lateness_ms:.1f} ms")]

    def _create(self):
        statuses = create_promises(self._database, self._files)
        if statuses != {(2010, 2010): len(self._files)}:
            raise Failure(f"creating promises was answered {dict(statuses)}")
        print(f"Created {count_of(len(self._files), 'promise')}, one per file, "
              f"each with a callback to {ADDRESS}.")

    def _start(self):
        print(f"Started {WORKERS} worker processes, each taking "
              f"{self._pace_s * 1000:.1f} ms or more per file; listening.")
        for share in range(WORKERS):
            self._workers.start(share)

    def _half_way(self):
        """Half of the files, or at once if there are too few for halves."""
        total = len(self._files)
        half = total // 2 if total > WORKERS else 0
        return len(self._done) >= half and os.path.getsize(self._log_path) > 0

    def _watch(self, is_reached):
        """Receives completions until the condition holds."""
        while not is_reached():
            is_working = self._workers.are_running()
            # Once all is settled, the last messages may still be on their way.
            promises = self._receive(
                TICK_S if is_working else NOTIFY_PATIENCE_S)
            if not promises and not is_working:
                raise Failure(f"all workers have finished, but only "
                              f"{len(self._done)} files are done")
            for promise_id, state in promises:
                if state != "resolved":
                    self._refuse(promise_id)
            self._progress.show(len(self._done))

    def _receive(self, timeout_s):
        """Notes what the listener hears, and answers it."""
        _, promises = self._listener.wait(timeout_s)
        for promise_id, state in promises:
            if state == "resolved":
                self._announced_again += promise_id in self._announced
                self._announced.add(promise_id)
                self._done.add(promise_id)
        return promises

    def _crash(self):
        """The worst moment: a worker and the server die."""
        victim, left = self._slowest_share()
        killed_pid = self._workers.kill(victim)
        stopped_at = time.monotonic()
        server("crash")
        self._drain()
        self._progress.interrupt(len(self._done))
        print(f"At {len(self._done)} of {len(self._files)}: killed worker "
              f"{victim} (process {killed_pid}, {left} of its files to go)\n"
              f"with SIGKILL, and stopped the server in immediate mode, which "
              f"is a crash.")
        server("start")
        downtime_s = time.monotonic() - stopped_at
        return victim, killed_pid, downtime_s

    def _slowest_share(self):
        """The share with most left to do, so that its worker is at work."""
        left = collections.Counter(
            share_of(position) for position, file in enumerate(self._files)
            if ID_PREFIX + file["path"] not in self._done)
        # In a tie the first one, whose share is the largest.
        share = max(range(WORKERS), key=lambda share: left[share])
        return share, left[share]

    def _drain(self):
        """Receives what was on its way, down to the end of the connection."""
        try:
            while True:
                if not self._receive(NOTIFY_PATIENCE_S):
                    raise Failure("the connection survived the crash")
        except ConnectionLost:
            pass

    def _catch_up(self):
        """Listens again, then looks at what was missed, in this order."""
        self._listener = Listener()
        self._found = {promise_id for promise_id, _, _
                       in self._database.search(EVERY_ID, "resolved")}
        self._done |= self._found
        for promise_id, _, _ in self._database.search(EVERY_ID, "rejected"):
            self._refuse(promise_id)
        lost = self._announced - self._found
        if lost:
            raise Failure(f"{len(lost)} settlements that had been announced "
                          f"are gone: {some(lost)}")
        print("Started the server; the other workers reconnect by themselves.\n"
              f"Every file announced before is still settled: "
              f"{len(self._announced)}. The client listened again,\nthen "
              f"looked, and found {len(self._found - self._announced)} more, "
              f"whose NOTIFY it had not heard.")

    def _create_again(self):
        """What an application does that does not know how far it had come."""
        statuses = create_promises(self._database, self._files)
        if statuses != {(2000, 2000): len(self._files)}:
            raise Failure(f"creating again was answered {dict(statuses)}")
        print("Created all promises again with the same idempotency keys: each "
              "was known already.")

    def _replace(self, victim):
        """No handover is needed: what is left of a share is what is pending."""
        self._workers.start(victim)
        print(f"Started a successor of worker {victim}, which takes what is "
              f"pending.")

    def _refuse(self, promise_id):
        """Files that disappear or change have no place in a comparison."""
        [(state, value)] = self._database.query(
            "SELECT state, value FROM resonate.get_promise(%s)", (promise_id,))
        raise Failure(f"{promise_id!r} ended as {state} with {value}")

    def _await_end_of_workers(self):
        """They end by themselves when nothing is pending."""
        give_up_at = time.monotonic() + NOTIFY_PATIENCE_S
        while self._workers.are_running():
            if time.monotonic() > give_up_at:
                raise Failure("a worker does not end although all is done")
            time.sleep(TICK_S)
        self._progress.interrupt(len(self._done))

    def _verify(self, killed_pid):
        """Checks the result; answers the lines of the summary about it."""
        print("Comparing the manifest with sha256sum, and the log of the "
              "workers with the promises.")
        promises = list(self._database.search(EVERY_ID, None))
        check_manifest(self._directory, self._files,
                       {promise_id: value for promise_id, value, _ in promises})
        computations = Computations(self._log_path)
        late = computations.begun_late({promise_id: settled_ms for
                                        promise_id, _, settled_ms in promises})
        if late:
            raise Failure(f"{len(late)} files were computed again after their "
                          f"promise was settled: {some(late)}")
        twice = computations.begun_twice(killed_pid)
        repeats = computations.repeats
        return [
            ("files, and promises", len(self._files)),
            ("settled when the server came back", len(self._found)),
            ("completions heard by NOTIFY", len(self._announced)),
            ("  of these heard twice", self._announced_again),
            ("completions found only by looking",
             len(self._found - self._announced)),
            ("digests computed in total", computations.total),
            ("  after the promise was settled", len(late)),
            ("  again, lost with the killed worker", len(twice)),
            ("settlements repeated after the crash", sum(repeats.values())),
            ("  and had been committed before it", repeats[2000]),
            ("manifest compared with sha256sum", "equal"),
        ]

    def _show_deadline(self):
        """A promise that nobody settles; answers the lateness of its NOTIFY."""
        [(status, deadline_ms)] = self._database.query("""
            SELECT status, (extract(epoch FROM timeout_at) * 1000)::bigint
            FROM resonate.create_promise_and_callback(
                'demo/deadline', 'demo', %s, %s * interval '1 s')""",
                                                       (ADDRESS, DEADLINE_S))
        if status != 2010:
            raise Failure(f"creating the last promise was answered {status}")
        print(f"Created one more promise, with a timeout of {DEADLINE_S} s, "
              f"which nobody will settle.")
        lateness_ms = self._await_deadline() - deadline_ms
        [(state, settled_ms)] = self._database.query("""
            SELECT state, (extract(epoch FROM settled_at) * 1000)::bigint
            FROM resonate.get_promise('demo/deadline')""")
        if (state, settled_ms) != ("rejected_timedout", deadline_ms):
            raise Failure(f"the last promise is {state}, settled "
                          f"{settled_ms - deadline_ms} ms after its deadline")
        if lateness_ms < 0:
            raise Failure(f"NOTIFY came {-lateness_ms:.1f} ms before the "
                          f"deadline")
        print(f"It is {state}, settled at its deadline exactly; the NOTIFY "
              f"arrived {lateness_ms:.1f} ms later.")
        return lateness_ms

    def _await_deadline(self):
        """When the last promise was announced, in ms since the epoch."""
        give_up_at = time.monotonic() + DEADLINE_S + NOTIFY_PATIENCE_S
        while time.monotonic() < give_up_at:
            arrived_at, promises = self._listener.wait(TICK_S)
            if ("demo/deadline", "rejected_timedout") in promises:
                return arrived_at * 1000
        raise Failure("no NOTIFY of a promise whose deadline has passed")


def print_summary(lines):
    """A table of two columns."""
    print()
    for name, value in lines:
        print(f"    {name:<40} {value:>10}")
    print("\nEverything was as it should be.")


def main(directory, files_path, log_path):
    """Tells the story; fails when it did not come true."""
    with open(files_path, encoding="utf-8") as stream:
        files = json.load(stream)["files"]
    try:
        print_summary(Demonstration(directory, files, log_path).run())
    except (Failure, ConnectionLost, psycopg2.Error,
            subprocess.CalledProcessError) as error:
        sys.exit(f"\ndemo: FAILED: {error or type(error).__name__}")


if __name__ == "__main__":
    main(*sys.argv[1:])
