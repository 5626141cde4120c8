"""What the processes of the demonstration have agreed on."""

ROOT_ID = "demo/manifest"
CHILD_PREFIX = "demo/hash/"
SCHEDULE_ID = "demo/tick"
SCHEDULE_PREFIX = SCHEDULE_ID + "/"

COORDINATORS = "poll://any@coordinator"
HASHERS = "poll://any@hashers"

COORDINATOR = "coordinator"
HASHER_COUNT = 6

# The files are divided among at most so many tasks, of which at most so many
# exist unfulfilled at a time.  That leaves a hasher idle, for what is taken
# over not to wait until somebody has finished.
TASKS_MAX = 16
WINDOW = 4

# A task takes at least so long, somewhere between the two.  Without heartbeats
# none would ever end.
LEASE_S = 2.0
HEARTBEAT_S = 0.5
PACE_MIN_S = 2.2
PACE_MAX_S = 3.0

# Longer than anything takes on a busy machine.
PATIENCE_S = 60.0


def child_id(number):
    """The id of the task with a number from 1; sorts like the number."""
    return f"{CHILD_PREFIX}{number:02d}"
