"""Calls of the typed functions, as SQL.

Which functions there are, and what arguments they take, is read from the
catalog, so that none is forgotten.
"""

import cursors
import values
import requests

# Triggers cannot be called.
_EXCLUDED_RESULTS = ("trigger", "event_trigger")

FUNCTIONS_QUERY = """
SELECT p.proname, p.prokind, coalesce(p.proargnames, '{}'),
       ARRAY(SELECT format_type(t, NULL) FROM unnest(p.proargtypes) AS t),
       p.pronargs - p.pronargdefaults, format_type(p.prorettype, NULL),
       EXISTS (SELECT FROM pg_attribute AS a
               WHERE a.attrelid = (SELECT typrelid FROM pg_type
                                   WHERE oid = p.prorettype)
                 AND a.attname = 'status' AND a.attrelid <> 0)
FROM pg_proc AS p
WHERE p.pronamespace = 'resonate'::regnamespace AND
      p.proname NOT IN ('resonate_rpc', 'check_invariants')
ORDER BY p.oid::regprocedure::text
"""


def read_functions(cursor):
    """The functions to call."""
    cursor.execute(FUNCTIONS_QUERY)
    return [row for row in cursor.fetchall()
            if row[5] not in _EXCLUDED_RESULTS]


def quote(text):
    """A string constant."""
    return "'" + text.replace("'", "''").replace("\x00", "") + "'"


def _text(context, name):
    rng = context.rng
    if rng.random() < 0.25:
        return values.string(rng)
    if name in ("id", "promise_id"):
        return context.any_id()
    if name == "address":
        return rng.choice(values.ADDRESSES)
    if name == "cron":
        return rng.choice(values.CRONS)
    if name == "state":
        return rng.choice(requests.STATES + ["pending", "fulfilled"])
    if name == "pattern":
        return rng.choice(["*", "p*", "*1", "t*a", "p1", "**", "\u6f22*",
                           "\\", "*\\", "\\*", "\\\\*", "p\\1"])
    if name == "cursor":
        return cursors.forged(rng) if rng.random() < 0.7 else context.any_id()
    if name == "action":
        return rng.choice(["create", "settle", "promise.create"])
    if name == "time_zone":
        return rng.choice(["UTC", "Europe/Berlin", "Pacific/Apia", "posixrules"])
    if name == "catch_up":
        return rng.choice(["all", "last", "none"])
    if name == "kind":
        return rng.choice(["callback", "listener"])
    return rng.choice(["a", "b", "w1", "w2"])


def _item(context, name):
    """One item of a batch."""
    rng = context.rng
    item = {"id": context.any_id()}
    if name == "settlements":
        item["state"] = rng.choice(requests.STATES)
        item["value"] = rng.choice([None, 1, "x", {"a": [1]}])
    elif rng.random() < 0.5:
        item["timeout"] = rng.choice([0, 1000, "1 day", "1 s", 10**10])
    else:
        item["timeout_at"] = context.deadline()
    if rng.random() < 0.3:
        item["tags"] = requests.tags(context)
    if rng.random() < 0.3:
        item["idempotency_key"] = rng.choice(["a", "b"])
    if rng.random() < 0.2:
        item["strict"] = rng.random() < 0.5
    return item


def _jsonb(context, name):
    rng = context.rng
    if rng.random() < 0.25:
        result = values.value(rng)
    elif name == "tags":
        result = requests.tags(context)
    elif name == "headers":
        result = {"k": rng.choice(["v", "", "\xe9"])}
    elif name in ("promises", "settlements"):
        size = rng.choice([0, 1, 2, 5, 20])
        result = [_item(context, name) for _ in range(size)]
    elif name == "promise":
        result = _item(context, rng.choice(["promises", "settlements"]))
    else:
        result = values.value(rng, 1)
    if rng.random() < 0.15:
        result = requests.mutate(rng, result)
    return values.write_json(result, rng)


def _interval(context, name, is_wait):
    rng = context.rng
    if is_wait:
        return rng.choice(["0", "1 microsecond", "1 ms", "-1 ms",
                           "-infinity", "-178000000 years", "nonsense"])
    if rng.random() < 0.5:
        return rng.choice(values.INTERVALS)
    return "%d ms" % rng.choice([1, 1000, 60000, 10**7])


def _array(context, elements):
    rng = context.rng
    size = rng.choice([0, 1, 2, 3, 3, 3, 1000])
    return "ARRAY[%s]" % ",".join(elements(rng) for _ in range(size))


def argument(context, type_name, name, is_wait):
    """An argument, as an expression."""
    rng = context.rng
    if rng.random() < 0.12 and not is_wait:
        return "NULL"
    if type_name == "text":
        return quote(_text(context, name))
    if type_name == "jsonb":
        return quote(_jsonb(context, name)) + "::jsonb"
    if type_name == "integer":
        number = rng.choice([0, 1, 2, 100]) if rng.random() < 0.6 \
            else rng.choice([n for n in values.NUMBERS
                             if abs(n) <= values.INT32_MAX])
        return "(%d)" % number
    if type_name == "bigint":
        return "(%d)::bigint" % rng.choice(
            [n for n in values.NUMBERS if abs(n) <= values.INT64_MAX])
    if type_name == "boolean":
        return rng.choice(["true", "false"])
    if type_name == "interval":
        return quote(_interval(context, name, is_wait)) + "::interval"
    if type_name == "timestamp with time zone":
        if rng.random() < 0.5:
            return quote(rng.choice(values.TIMESTAMPS)) + "::timestamptz"
        return "to_timestamp(%d)" % (context.deadline() // 1000 % 10**10)
    if type_name == "text[]":
        return _array(context, lambda r: "NULL" if r.random() < 0.05 else
                      quote(_text(context, "id"))) + "::text[]"
    if type_name == "integer[]":
        if rng.random() < 0.1:
            return rng.choice(["'{{1,2},{3,4}}'", "'[5:6]={1,2}'", "'{}'"]) + \
                "::integer[]"
        return _array(context, lambda r: "NULL" if r.random() < 0.05 else
                      str(r.randrange(4))) + "::integer[]"
    raise ValueError("no argument of type %s is known" % type_name)


def _statement(name, arguments):
    """A statement that returns a record of a function and its status."""
    return "SELECT string_agg(r::text, '|'), max(r.status)" \
        " FROM resonate.%s(%s) AS r" % (name, ", ".join(arguments))


def life(context, name):
    """The life of a task, with the right versions, spoilt in one place."""
    rng = context.rng
    task, child = quote(name), quote(name + ".c")
    target = quote('{"resonate:target": "poll://any@g"}') + "::jsonb"
    steps = [("create_promise_and_task",
              [task, "'w1'", "interval '1 min'", "interval '1 day'",
               "tags => " + target]),
             ("fence_task", [task, "1", "'create'", quote(
                 '{"id": "%s.c", "timeout": "1 day"}' % name) + "::jsonb"]),
             ("create_callback", [child, "'a'", "'poll://any@g'"]),
             ("heartbeat_tasks", ["'w1'", "ARRAY[%s]" % task, "ARRAY[1]"]),
             ("suspend_task", [task, "1", "ARRAY[%s]" % child]),
             ("resolve", [child, quote(_jsonb(context, "value")) + "::jsonb"]),
             ("acquire_task", [task, "1", "'w2'", "interval '1 min'"]),
             (rng.choice(["release_task", "suspend_task"]), [task, "2"]),
             ("halt_task", [task]), ("continue_task", [task]),
             ("acquire_task", [task, "2", "'w1'", "interval '1 ms'"]),
             ("fulfill_task", [task, rng.choice(["2", "3"])])]
    steps[7][1].extend(["ARRAY['p1']"] if steps[7][0] == "suspend_task" else [])
    at = rng.randrange(len(steps))
    arguments = steps[at][1]
    spoilt = rng.randrange(len(arguments))
    if "=>" not in arguments[spoilt]:
        kind = "integer" if arguments[spoilt].isdigit() else \
            "text[]" if arguments[spoilt].startswith("ARRAY['") else \
            "interval" if arguments[spoilt].startswith("interval") else \
            "jsonb" if arguments[spoilt].endswith("jsonb") else \
            "integer[]" if arguments[spoilt].startswith("ARRAY") else "text"
        arguments[spoilt] = argument(context, kind, "", False)
    # This one returns a number and no record.
    return [_statement(*step) if step[0] != "heartbeat_tasks" else
            "SELECT r::text, NULL FROM resonate.%s(%s) AS r" %
            (step[0], ", ".join(step[1])) for step in steps]


def call(context, functions):
    """A statement that calls any of the functions, and its status if any."""
    rng = context.rng
    name, kind, names, types, nrequired, _, has_status = rng.choice(functions)
    is_wait = name == "await_promise"
    arguments = []
    for i, type_name in enumerate(types):
        arg_name = names[i] if i < len(names) else ""
        is_timeout = is_wait and arg_name == "timeout"
        if i >= max(nrequired, 2) and rng.random() < 0.5:
            # What has a default may be left out, and is given by name.
            continue
        expression = argument(context, type_name, arg_name, is_timeout)
        if i >= max(nrequired, 2):
            expression = '"%s" => %s' % (arg_name, expression)
        arguments.append(expression)
    if kind == "p":
        return "CALL resonate.%s(%s)" % (name, ", ".join(
            arguments[:2] + ["NULL", "NULL", "NULL"]))
    return "SELECT string_agg(r::text, '|'), %s FROM resonate.%s(%s) AS r" % (
        "max(r.status)" if has_status else "NULL", name, ", ".join(arguments))
