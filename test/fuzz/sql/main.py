"""Fuzzes resonate through SQL.

The inputs come in epochs of 10,000.  An epoch starts with empty tables and does
not depend on those before it, so SEED and the number of the epoch reproduce it.
In it, transactions of 250 inputs are committed, except every eighth, which is
rolled back, and the clock goes on by chance between them.

What is a failure: a server process that ends, an assertion, an internal error,
any SQLSTATE that the function does not have for such a case, an answer that is
no answer, a status of 500, a broken invariant, and memory that keeps growing.
"""

import argparse
import collections
import random
import sys
import time

import psycopg2

import calls
import requests
import values

EPOCH_SIZE = 10000
BATCH_SIZE = 250
START_MS = 1700000000000

# Errors of what never reaches the function: not JSON, not text of the encoding.
# In SQL_ASCII the server refuses characters that are escaped, with 0A000.
INPUT_ERRORS = {"0A000", "22P02", "22P05", "22021", "22003", "54000", "54001"}

# Errors that the typed functions have, and those of the constants in a call.
CALL_ERRORS = {
    "0A000",    # escaped characters in SQL_ASCII
    "22003",    # a number out of range
    "22004",    # null
    "22007", "22008", "22015",  # no time, or out of range
    "22021",    # not in the repertoire of characters
    "22023",    # invalid argument
    "22P02",    # a constant that is not of its type
    "22P05",    # a character that this encoding lacks
    "2202E",    # an array of the wrong shape
    "2D000",    # CALL where it cannot end a transaction
    "42501",    # not allowed
    "54000", "54001",   # too large, too deep
    "55000",    # await of what this transaction has written
}

# Between the end of the warm-up and the end of the run.
CONTEXTS_GROWTH_MAX = 2 * 1024 * 1024
RSS_GROWTH_MAX = 4 * 1024 * 1024

# How long to look for a smaller input that fails.
REDUCTION_S = 60

ENCODINGS = {"UTF8": "utf-8", "SQL_ASCII": "utf-8", "LATIN1": "latin-1",
             "EUC_JP": "euc_jp"}


class Failure(Exception):
    """Something that must not happen, with the inputs that led there."""

    def __init__(self, what, at, inputs=(), index=None):
        super().__init__(what)
        self.what = what
        self.at = at
        self.inputs = list(inputs)
        self.index = index


def is_free(epoch):
    """True for an epoch in which requests name any time, past or future."""
    return epoch % 4 == 3


def make_inputs(seed, epoch, encoding, functions, kinds):
    """The batches of an epoch: (what the clock shows, the inputs).

    An input is ("r", body) or ("c", statement), in bytes.
    """
    rng = random.Random(seed * 1000003 + epoch)
    now_ms = START_MS
    if is_free(epoch):
        # A schedule of long ago would have as many promises as there were
        # minutes since, and a tick makes them all.
        kinds = [kind for kind in kinds + requests.DEBUG_KINDS
                 if kind != "schedule.create"]
        functions = [row for row in functions if row[0] != "create_schedule"]
    else:
        functions = [row for row in functions if row[0] != "worker_step"]
    case = 0
    for _ in range(EPOCH_SIZE // BATCH_SIZE):
        now_ms += rng.choice([0, 0, 1, 1000, 5000, 60000, 3600000])
        context = requests.Context(rng, now_ms, is_free(epoch))
        inputs = []
        while len(inputs) < BATCH_SIZE:
            case += 1
            choice = rng.random()
            if choice < 0.4:
                inputs += [("c", calls.call(context, functions))
                           for _ in range(4)]
            elif choice < 0.45:
                inputs += [("c", text) for text in
                           calls.life(context, "d%d" % case)]
            else:
                inputs += [("r", text) for text in
                           requests.case(context, "d%d" % case, kinds)]
        yield now_ms, [(kind, values.encode(text, encoding))
                       for kind, text in inputs[:BATCH_SIZE]]


def is_failure(kind, outcome):
    """True for an outcome that must not be."""
    if outcome == "fault":
        return True
    stage, _, state = outcome.partition(":")
    if not state:
        return outcome.startswith("5")
    if stage == "input":
        return state not in INPUT_ERRORS
    return kind == "r" or state not in CALL_ERRORS


class Session:
    """A connection that runs batches."""

    def __init__(self, dsn, is_live):
        self.dsn = dsn
        self.is_live = is_live
        self.connect()

    def connect(self):
        """Connects, also while the server has to start again."""
        deadline = time.monotonic() + 60
        while True:
            try:
                self.connection = psycopg2.connect(self.dsn)
                self.cursor = self.connection.cursor()
                self.prepare()
                return
            except psycopg2.OperationalError:
                # It may even let one in before it notices.
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def prepare(self):
        """Sets the session up."""
        self.execute("SET statement_timeout = '60s'")
        self.execute("SET client_min_messages = 'error'")
        if self.is_live:
            self.execute("SET SESSION AUTHORIZATION fuzz_worker")
        else:
            self.execute("SET resonate.debug = on")
        self.connection.commit()

    def execute(self, query, arguments=None):
        """Runs a statement."""
        self.cursor.execute(query, arguments)

    def ask(self, query, arguments=None):
        """The first column of what a query returns."""
        self.execute(query, arguments)
        return [row[0] for row in self.cursor.fetchall()]

    def set_clock(self, now_ms):
        """Sets what the functions take for now."""
        if not self.is_live:
            self.execute("SET resonate.test_clock = %s", (str(now_ms),))

    def send(self, inputs):
        """The outcomes of inputs, in the open transaction."""
        self.execute("SELECT * FROM fuzz.run(%s, %s)",
                     ([kind for kind, _ in inputs],
                      [psycopg2.Binary(data) for _, data in inputs]))
        return self.cursor.fetchall()

    def reset(self):
        """Empties the tables, and has the worker keep away."""
        for kind in () if self.is_live else ("debug.start", "debug.reset"):
            status = self.ask(
                "SELECT resonate.resonate_rpc(%s) #>> '{head,status}'",
                ('{"kind": "%s", "data": {}, "head": {"corrId": "0", '
                 '"version": "%s"}}' % (kind, requests.VERSION),))
            if status != ["200"]:
                raise Failure("%s answers %s" % (kind, status), "reset")
        self.connection.commit()

    def memory(self):
        """The bytes in memory contexts, and what the process has for itself."""
        self.execute("RESET SESSION AUTHORIZATION")
        contexts = self.ask("SELECT sum(total_bytes)::bigint"
                            " FROM pg_backend_memory_contexts")[0]
        if self.is_live:
            self.execute("SET SESSION AUTHORIZATION fuzz_worker")
        self.connection.commit()
        with open("/proc/%d/status" % self.connection.info.backend_pid,
                  encoding="ascii") as status:
            for line in status:
                if line.startswith("RssAnon:"):
                    return contexts, int(line.split()[1]) * 1024
        raise Failure("there is no RssAnon", "memory")

    def broken_invariants(self, epoch, now_ms=None):
        """The names of the invariants that do not hold.

        Ends the transaction, unless there is a time to go back to.
        """
        self.execute("RESET SESSION AUTHORIZATION")
        if is_free(epoch):
            # Requests have named any time, so none is too late.
            self.set_clock(values.INT64_MAX)
        names = self.ask("SELECT resonate.check_invariants()")
        if now_ms is None:
            self.connection.rollback()
        else:
            self.set_clock(now_ms)
        return names


def run_batch(session, inputs, at, tally):
    """Runs a batch and counts its outcomes."""
    try:
        outcomes = session.send(inputs)
    except psycopg2.Error as error:
        what = str(error).strip() or type(error).__name__
        raise Failure("the batch ended: " + what, at, inputs) from error
    for n, outcome, detail in outcomes:
        kind = inputs[n - 1][0]
        tally[(kind, outcome)] += 1
        if is_failure(kind, outcome):
            raise Failure("%s %s" % (outcome, detail), at, inputs, n - 1)


def end_batch(session, number):
    """Ends the transaction of a batch."""
    if number % 8 == 7:
        session.connection.rollback()
    else:
        session.connection.commit()


def locate(session, epoch, batches):
    """The input of an epoch after which an invariant is broken, or None."""
    last = None
    session.reset()
    for number, (now_ms, inputs) in enumerate(batches):
        session.set_clock(now_ms)
        session.send(inputs)
        end_batch(session, number)
        if session.broken_invariants(epoch):
            last = number
            break
    if last is None:
        return None
    session.reset()
    for number, (now_ms, inputs) in enumerate(batches[:last + 1]):
        session.set_clock(now_ms)
        for part in [inputs] if number < last else [[one] for one in inputs]:
            session.send(part)
            if number == last and session.broken_invariants(epoch, now_ms):
                return part[0]
        end_batch(session, number)
    return None


def run_epoch(session, epoch, options, functions, tally):
    """Runs an epoch."""
    encoding = ENCODINGS[options.encoding]
    session.reset()
    batches = list(make_inputs(options.seed, epoch, encoding, functions,
                               requests.KINDS))
    for number, (now_ms, inputs) in enumerate(batches):
        at = "epoch %d, batch %d" % (epoch, number)
        if session.is_live:
            now_ms = int(time.time() * 1000)
        session.set_clock(now_ms)
        run_batch(session, inputs, at, tally)
        try:
            end_batch(session, number)
        except psycopg2.Error as error:
            raise Failure("the commit failed: %s" % error, at, inputs) from error
    broken = session.broken_invariants(epoch)
    if broken:
        found = None if session.is_live else locate(session, epoch, batches)
        raise Failure("broken invariants: %s, after %r" %
                      (", ".join(broken), found), "epoch %d" % epoch)


def start_over(session, now_ms):
    """Has the tables empty, however the session has ended before."""
    for _ in range(10):
        try:
            session.connection.rollback()
            session.reset()
            session.set_clock(now_ms)
            session.execute("SET LOCAL statement_timeout = '2s'")
            return
        except (psycopg2.OperationalError, psycopg2.InterfaceError):
            session.connect()
    raise Failure("the server does not come back", "reduction")


def fails(session, now_ms, inputs):
    """True when inputs alone, in empty tables, end in a failure."""
    start_over(session, now_ms)
    try:
        run_batch(session, inputs, "", collections.Counter())
        return False
    except Failure:
        return True


def shorten(sequence, is_enough):
    """As short a part of a sequence as is enough, by leaving pieces out."""
    size = max(1, len(sequence) // 2)
    while size >= 1:
        at = 0
        while at < len(sequence):
            shorter = sequence[:at] + sequence[at + size:]
            if shorter and is_enough(shorter):
                sequence = shorter
            else:
                at += size
        size //= 2
    return sequence


def reduce_inputs(session, now_ms, inputs):
    """As few of the inputs as still fail, and those as short as they fail.

    Takes only so long, because a server that crashes has to start again.
    """
    deadline = time.monotonic() + REDUCTION_S

    def still_fails(attempt):
        return time.monotonic() < deadline and \
            fails(session, now_ms, attempt)

    inputs = shorten(inputs, still_fails)
    for i, (kind, data) in enumerate(inputs):
        data = shorten(data, lambda shorter: still_fails(
            inputs[:i] + [(kind, shorter)] + inputs[i + 1:]))
        inputs = inputs[:i] + [(kind, data)] + inputs[i + 1:]
    return inputs


def report_failure(session, failure, options):
    """Prints what happened, how to see it again, and the least that it takes."""
    print("FAILED: %s: %s" % (failure.at, failure.what))
    epoch = failure.at.split(",")[0].replace("epoch ", "")
    print("  again: SEED=%d EPOCH=%s ENCODING=%s%s test/fuzz/sql.sh" %
          (options.seed, epoch, options.encoding,
           " LIVE=1" if options.live else ""))
    if failure.index is not None:
        print("  input: %r" % (failure.inputs[failure.index],))
    if not failure.inputs or options.live:
        return
    upto = failure.inputs[:len(failure.inputs) if failure.index is None
                          else failure.index + 1]
    if failure.index is not None and fails(session, START_MS, upto[-1:]):
        upto = upto[-1:]
    if fails(session, START_MS, upto):
        for kind, data in reduce_inputs(session, START_MS, upto):
            print("  least: %s %r" % (kind, data))
    else:
        print("  not the batch alone, from empty tables")


def print_tally(tally):
    """Prints how often each outcome was."""
    for kind, name in (("r", "requests"), ("c", "calls")):
        print("  %s: %s" % (name, ", ".join(
            "%s %d" % (outcome, n) for (k, outcome), n in sorted(tally.items())
            if k == kind)))


def check_memory(samples):
    """Prints the memory of the backend in the course of the run; a failure if
    there is more of it at the end than after the warm-up."""
    for i, name in enumerate(("memory contexts", "RssAnon")):
        print("  %s, kB: %s" % (name, " ".join(
            "%d" % (sample[i] // 1024) for sample in samples)))
    if samples[-1][0] - samples[0][0] > CONTEXTS_GROWTH_MAX or \
            samples[-1][1] - samples[0][1] > RSS_GROWTH_MAX:
        raise Failure("the memory of the backend grows", "memory")


def fuzz(session, options):
    """Runs all epochs."""
    tally = collections.Counter()
    functions = calls.read_functions(session.cursor)
    session.connection.commit()
    first, nepochs = 0, max(1, options.inputs // EPOCH_SIZE)
    if options.epoch is not None:
        first, nepochs = options.epoch, 1
    samples = []
    # Caches fill up at first, which is no leak.
    every = max(1, nepochs // 10)
    start = time.monotonic()
    try:
        for epoch in range(first, first + nepochs):
            run_epoch(session, epoch, options, functions, tally)
            if (epoch + 1 - first) % every == 0:
                samples.append(session.memory())
    finally:
        seconds = time.monotonic() - start
        total = sum(tally.values())
        print("%s%s: %d inputs, seed %d, %.1f s, %d inputs/s" %
              (options.encoding, ", live" if options.live else "", total,
               options.seed, seconds, total / seconds))
        print_tally(tally)
    check_memory(samples)


def main():
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--database", required=True)
    parser.add_argument("--encoding", choices=ENCODINGS, default="UTF8")
    parser.add_argument("--inputs", type=int, default=EPOCH_SIZE)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--epoch", type=int)
    parser.add_argument("--live", action="store_true",
                        help="with the wall clock, the worker and no rights")
    options = parser.parse_args()
    session = Session("dbname=" + options.database, options.live)
    try:
        fuzz(session, options)
    except Failure as failure:
        report_failure(session, failure, options)
        sys.exit(1)


if __name__ == "__main__":
    main()
