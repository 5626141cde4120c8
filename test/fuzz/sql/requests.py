"""Requests of the wire protocol: valid ones, in sequences, and spoilt ones.

Nothing here waits for an answer.  What a request has to say of the past, such
as the version of a task, follows from what its sequence has done so far.
"""

import copy

import values

VERSION = "2026-04-01"
KINDS = [
    "promise.get", "promise.create", "promise.settle",
    "promise.register_callback", "promise.register_listener", "promise.search",
    "task.get", "task.create", "task.acquire", "task.release", "task.suspend",
    "task.fulfill", "task.fence", "task.heartbeat", "task.halt",
    "task.continue", "task.search", "schedule.get", "schedule.create",
    "schedule.delete", "schedule.search"]
DEBUG_KINDS = ["debug.start", "debug.tick", "debug.snap"]

PROMISE_IDS = ["p%d" % i for i in range(10)]
TASK_IDS = ["t%d" % i for i in range(6)] + ["t0.a", "t0.a.b", "t1.a"]
SCHEDULE_IDS = ["s0", "s1", "s2"]
TARGETS = ["poll://any@g", "poll://uni@g/w", "poll://any@h", "anything"]
STATES = ["resolved", "rejected", "rejected_canceled"]


class Context:
    """What a request is made with: chance, the time, and whether it is free.

    is_free lets requests name any time at all, in the past or the future.
    """

    def __init__(self, rng, now_ms, is_free):
        self.rng = rng
        self.now_ms = now_ms
        self.is_free = is_free

    def any_id(self):
        """The id of something that may exist."""
        return self.rng.choice(PROMISE_IDS + TASK_IDS)

    def deadline(self):
        """When a promise may end; often soon."""
        rng = self.rng
        if rng.random() < 0.1:
            return rng.choice([0, values.INT64_MAX, values.INT64_MAX - 1,
                               self.now_ms])
        return self.now_ms + rng.choice([1, 500, 5000, 60000, 10**7, 10**10])


def envelope(context, kind, data):
    """A request in its envelope."""
    head = {"corrId": str(context.rng.randrange(100)), "version": VERSION}
    if context.is_free and context.rng.random() < 0.1:
        head["resonate:debug_time"] = context.rng.choice(values.NUMBERS)
    return {"kind": kind, "head": head, "data": data}


def payload(context):
    """A param or value."""
    rng = context.rng
    result = {}
    if rng.random() < 0.5:
        choice = rng.random()
        if choice < 0.6:
            result["data"] = rng.choice(
                ["eyJhIjoxfQ==", "bnVsbA==", "IsOpIg==", "/w==", "plain", ""])
        elif choice < 0.8:
            result["data"] = values.encoded_json(rng)
        else:
            result["data"] = values.string(rng)
    if rng.random() < 0.3:
        result["headers"] = {"k": rng.choice(["v", "", "\u6f22"])}
    return result


def tags(context, kind=None):
    """The tags of an internal, external, timed or targeted promise."""
    rng = context.rng
    kind = kind or rng.choice(["internal", "external", "timer", "target"])
    result = {}
    if kind == "external":
        result = rng.choice([{"resonate:external": "true"},
                             {"resonate:scope": "global"}])
    elif kind == "timer":
        result = {"resonate:timer": "true"}
    elif kind == "target":
        result = {"resonate:target": rng.choice(TARGETS)}
        if rng.random() < 0.2:
            result["resonate:delay"] = str(context.now_ms + 100)
        if rng.random() < 0.2:
            result["resonate:branch"] = rng.choice(TASK_IDS)
    if rng.random() < 0.2:
        result = dict(result, user=rng.choice(["a", "b", "\xe9"]))
    return result


def create_data(context, name, kind=None):
    """The data of promise.create."""
    data = {"id": name, "timeoutAt": context.deadline(), "param": {},
            "tags": tags(context, kind)}
    if context.rng.random() < 0.5:
        data["param"] = payload(context)
    return data


def settle_data(context, name):
    """The data of promise.settle."""
    return {"id": name, "state": context.rng.choice(STATES),
            "value": payload(context)}


def action(kind, data):
    """A request in a request."""
    return {"kind": kind, "head": {"corrId": "1", "version": VERSION},
            "data": data}


def lease(context):
    """Who wants to hold a task, and for how long."""
    return {"pid": context.rng.choice(["w1", "w2"]),
            "ttl": context.rng.choice([1, 1000, 60000, values.INT64_MAX])}


def schedule_data(context, name):
    """The data of schedule.create."""
    rng = context.rng
    return {"id": name, "cron": rng.choice(values.CRONS[:8]),
            "promiseId": rng.choice(["{{.id}}.{{.timestamp}}", "s",
                                     "\u6f22{{.timestamp}}"]),
            "promiseTimeout": rng.choice([0, 1000, 10**9, values.INT64_MAX]),
            "promiseParam": payload(context), "promiseTags": tags(context)}


def search_data(context, kind):
    """The data of a search."""
    rng = context.rng
    data = {}
    if rng.random() < 0.5:
        data["limit"] = rng.choice([1, 2, 10, 1000])
    if rng.random() < 0.3:
        data["cursor"] = context.any_id()
    if rng.random() < 0.5 and kind != "schedule.search":
        data["state"] = rng.choice(
            STATES + ["pending", "rejected_timedout"] if kind[0] == "p" else
            ["pending", "acquired", "suspended", "halted", "fulfilled"])
    if rng.random() < 0.5 and kind != "task.search":
        data["tags"] = tags(context)
    return data


def suspend_data(context, name, version, awaited):
    """The data of task.suspend."""
    return {"id": name, "version": version,
            "actions": [action("promise.register_callback",
                               {"awaited": a, "awaiter": name})
                        for a in awaited]}


def fence_data(context, name, version, inner):
    """The data of task.fence."""
    if context.rng.random() < 0.5:
        inner = action("promise.create", create_data(context, inner))
    else:
        inner = action("promise.settle", settle_data(context, inner))
    return {"id": name, "version": version, "action": inner}


def task_data(context, kind, name, version):
    """The data of a request on a task that exists."""
    data = {"id": name, "version": version}
    if kind in ("task.get", "task.halt", "task.continue"):
        del data["version"]
    elif kind == "task.acquire":
        data.update(lease(context))
    elif kind == "task.suspend":
        awaited = context.rng.sample(PROMISE_IDS + TASK_IDS,
                                     context.rng.randrange(1, 4))
        data = suspend_data(context, name, version, awaited)
    elif kind == "task.fulfill":
        data["action"] = action("promise.settle", settle_data(context, name))
    elif kind == "task.fence":
        data = fence_data(context, name, version, context.any_id())
    elif kind == "task.heartbeat":
        data = {"pid": context.rng.choice(["w1", "w2"]),
                "tasks": [{"id": context.rng.choice(TASK_IDS),
                           "version": context.rng.randrange(4)}
                          for _ in range(context.rng.randrange(4))]}
    return data


def single(context, kind):
    """A valid request of the kind, on what may or may not exist."""
    rng = context.rng
    if kind == "debug.tick":
        data = {"time": context.now_ms + rng.choice([0, 1, 1000, 60000])}
    elif kind.startswith("debug."):
        data = {}
    elif kind.endswith(".search"):
        data = search_data(context, kind)
    elif kind == "schedule.create":
        data = schedule_data(context, rng.choice(SCHEDULE_IDS))
    elif kind.startswith("schedule."):
        data = {"id": rng.choice(SCHEDULE_IDS)}
    elif kind == "promise.create":
        data = create_data(context, context.any_id())
    elif kind == "promise.settle":
        data = settle_data(context, context.any_id())
    elif kind == "promise.register_callback":
        data = {"awaited": context.any_id(), "awaiter": rng.choice(TASK_IDS)}
    elif kind == "promise.register_listener":
        data = {"awaited": context.any_id(),
                "address": rng.choice(values.ADDRESSES)}
    elif kind == "task.create":
        data = dict(lease(context), action=action(
            "promise.create", create_data(context, rng.choice(TASK_IDS),
                                          "target")))
    elif kind.startswith("task."):
        data = task_data(context, kind, rng.choice(TASK_IDS), rng.randrange(4))
    else:
        data = {"id": context.any_id()}
    return envelope(context, kind, data)


def life(context, name):
    """The life of a task from its birth to its end, with the right versions."""
    rng = context.rng
    far = context.now_ms + 10**7
    child = name + ".c"
    birth = {"id": name, "timeoutAt": far, "param": payload(context),
             "tags": {"resonate:target": "poll://any@g"}}
    version = 1
    if rng.random() < 0.5:
        steps = [("task.create", {"pid": "w1", "ttl": 60000, "action":
                                  action("promise.create", birth)})]
    else:
        steps = [("promise.create", birth),
                 ("task.acquire", {"id": name, "version": 0, "pid": "w1",
                                   "ttl": 60000})]
    for _ in range(rng.randrange(1, 4)):
        ref = {"id": name, "version": version}
        way = rng.randrange(6)
        if way == 0:
            steps += [("task.release", ref)]
        elif way == 1:
            steps += [("task.halt", {"id": name}),
                      ("task.continue", {"id": name})]
        elif way == 2:
            steps += [("task.heartbeat", {"pid": "w1", "tasks": [ref]})]
            continue
        else:
            wait = ("task.suspend",
                    suspend_data(context, name, version, [child]))
            settle = ("promise.settle", settle_data(context, child))
            steps += [
                ("task.fence", dict(ref, action=action("promise.create", {
                    "id": child, "timeoutAt": far, "param": {},
                    "tags": {"resonate:external": "true"}}))),
                ("promise.register_listener", {
                    "awaited": child, "address": "poll://any@g"})]
            child += "c"
            if way == 3:
                # Nothing to wait for: the task goes on.
                steps += [settle, wait]
                continue
            steps += [wait, settle]
        steps += [("task.acquire", dict(ref, pid="w1", ttl=60000))]
        version += 1
    steps += [("task.fulfill", {"id": name, "version": version, "action":
                                action("promise.settle",
                                       settle_data(context, name))})]
    return [envelope(context, kind, data) for kind, data in steps]


def _paths(node, path=()):
    """All places in a JSON value."""
    yield path
    if isinstance(node, dict):
        for key in node:
            yield from _paths(node[key], path + (key,))
    elif isinstance(node, list):
        for i, element in enumerate(node):
            yield from _paths(element, path + (i,))


def mutate(rng, message):
    """The same message, different in one place."""
    message = copy.deepcopy(message)
    path = rng.choice(list(_paths(message)))
    if not path:
        return values.value(rng)
    parent = message
    for key in path[:-1]:
        parent = parent[key]
    key = path[-1]
    way = rng.randrange(8)
    if way == 0:
        del parent[key]
    elif way == 1:
        parent[key] = values.number(rng)
    elif way == 2:
        parent[key] = values.string(rng)
    elif way == 3:
        parent[key] = [parent[key]]
    elif way == 4 and isinstance(parent, list):
        parent.extend([parent[key]] * rng.choice([1, 2, 500]))
    elif way == 4:
        parent[values.string(rng)] = parent[key]
    elif way == 5 and isinstance(parent[key], str):
        cut = rng.randrange(len(parent[key]) + 1)
        parent[key] = parent[key][:cut] + values.string(rng) + parent[key][cut:]
    elif way == 6 and isinstance(parent[key], int):
        parent[key] += rng.choice([-1, 1, 2**31, 2**63])
    else:
        parent[key] = values.value(rng)
    return message


def spoil(rng, text):
    """The text of a message, different in a few characters."""
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(text) + 1)
        text = (text[:at] + values.string(rng)[:3] +
                text[at + rng.randrange(4):])
    return text


def case(context, name, kinds):
    """The texts of one case: a few requests that belong together."""
    rng = context.rng
    choice = rng.random()
    if choice < 0.3:
        messages = life(context, name)
        if rng.random() < 0.8:
            at = rng.randrange(len(messages))
            messages[at] = mutate(rng, messages[at])
    elif choice < 0.6:
        messages = [single(context, rng.choice(kinds)) for _ in range(4)]
    elif choice < 0.95:
        messages = [mutate(rng, single(context, rng.choice(kinds)))
                    for _ in range(4)]
        if rng.random() < 0.3:
            messages = [mutate(rng, message) for message in messages]
    else:
        messages = [values.value(rng, 4) for _ in range(4)]
    texts = [values.write_json(message, rng) for message in messages]
    if choice >= 0.6 and rng.random() < 0.1:
        texts = [spoil(rng, text) for text in texts]
    return texts
