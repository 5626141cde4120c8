"""The worker processes, as seen by who starts and kills them."""

import os
import signal
import subprocess
import sys

from failure import Failure

HERE = os.path.dirname(os.path.abspath(__file__))


class Crew:
    """The processes, by the name under which they acquire tasks."""

    def __init__(self, journal_path):
        self._journal_path = journal_path
        self._processes = {}

    def start(self, program, name, argument):
        """Starts a worker, which then waits for tasks."""
        self._processes[name] = subprocess.Popen(
            [sys.executable, os.path.join(HERE, program), name,
             self._journal_path, argument])

    def pause(self, name):
        """Stops a worker, which does not notice how long."""
        self._processes[name].send_signal(signal.SIGSTOP)

    def resume(self, name):
        """Lets a worker go on that was paused."""
        self._processes[name].send_signal(signal.SIGCONT)

    def kill(self, name):
        """Kills a worker, which cannot notice."""
        process = self._processes.pop(name)
        process.kill()
        process.wait()

    def check(self):
        """Fails if a worker has ended, which none does by itself."""
        for name, process in self._processes.items():
            if process.poll() is not None:
                raise Failure(f"{name} ended with status {process.returncode}")

    def stop(self):
        """Ends all that are left, paused or not."""
        for name in list(self._processes):
            self.kill(name)
