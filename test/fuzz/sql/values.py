"""Values that are likely to be handled wrongly, and how they are written.

Everything is drawn from a random.Random that the caller has seeded, so that
the same seed gives the same bytes.
"""

import base64
import json
import re

INT64_MAX = 2**63 - 1
INT32_MAX = 2**31 - 1

# What JSON's own writer cannot produce is a string until the end.
_RAW = re.compile(r'"<raw:([^>"]*)>"')

_RAW_NUMBERS = [
    "-0", "0.0", "1.0", "-0.0", "1e0", "1E+2", "1e-1", "1e400", "-1e400",
    "1e-400", "0.1", "1.5", "123456789012345678901234567890", "1e19",
    "9223372036854775807.0", "9.223372036854775807e18", "1e131071", "1e-16383",
    "2147483647.5", "9223372036854775808", "-9223372036854775809",
    "0.00000000000000000000000000000000000001", "1" + "0" * 200]

NUMBERS = [
    0, 1, -1, 2, 9, 10, 59, 60, 99, 100, 101, 255, 256, 999, 1000, 1001, 10000,
    10001, 65535, 65536, INT32_MAX - 1, INT32_MAX, INT32_MAX + 1,
    -INT32_MAX - 1, -INT32_MAX - 2, 2**53, 2**53 + 1, INT64_MAX - 1,
    INT64_MAX, INT64_MAX + 1, -INT64_MAX, -INT64_MAX - 1, -INT64_MAX - 2,
    # Where a timestamp in microseconds ends.
    9223371331199999, 9223371331200000, 9224318015999999, 9224318016000000,
    -210866803200000, -62135596800000]

# Characters of one to four bytes in UTF-8, controls, and what is no character.
_CHARACTERS = [
    "\x00", "\x01", "\x07", "\b", "\t", "\n", "\r", "\x1b", "\x1f", " ", '"',
    "'", "\\", "/", "%", "_", "$", "{", "}", "\x7f", "\x80", "\x9f", "\xa0",
    "\xad", "\xe9", "\xdf", "\xff", "\u0130", "\u0131", "\u0301", "\u03a9",
    "\u05d0", "\u0e01", "\u200b", "\u200d", "\u202e", "\u2028", "\u20ac",
    "\u3042", "\u6f22", "\uac00", "\ud800", "\udbff", "\udc00", "\udfff",
    "\ue000", "\ufeff", "\uff21", "\ufffd", "\ufffe", "\uffff", "\U00010000",
    "\U0001f600", "\U0002f800", "\U000e0001", "\U0010ffff"]

_STRINGS = [
    "", " ", "0", "-1", "true", "false", "null", "NaN", "nan", "-NaN",
    "Infinity", "-Infinity", "inf", "1e400", "-0", "0x10", "9223372036854775807",
    "9223372036854775808", "a", "a.b", ".", "..", "a..b", "*", "**", "a*", "*a",
    "%", "_", "\\", "\\*", "a\\", "'", "''", '"', "$1", "{{.id}}",
    "{{.timestamp}}", "{{.id}}.{{.timestamp}}", "{{.id", "{{", "}}", "%s%n",
    "pending", "resolved", "rejected", "rejected_canceled",
    "rejected_timedout", "acquired", "suspended", "halted", "fulfilled",
    "all", "last", "none", "callback", "listener", "UTC", "Europe/Berlin",
    "Pacific/Apia", "posix/UTC", "../../etc/passwd", "infinity",
    "epoch", "eyJhIjoxfQ==", "eyJhIjoxfQ", "=", "====", "/w==",
    "AA==", "notify://", "poll://any@", "resonate:target"]

# JSON that is no jsonb, or only just, and what is not quite JSON.
_PECULIAR_JSON = [
    r'"\u0000"', r'"a\u0000b"', r'{"\u0000": 1}', r'"\ud800"', r'"\udc00"',
    r'"\udc00\ud800"', r'"\ud83d\ude00"', r'"\ud83dx"', r'"\\ud800"',
    r'"\u00e9"', r'"\u20ac"', r'"\u6f22"', '"\xe9"', '"\u6f22"', '"\U0001f600"',
    "1e131071", "1e131072", "-1e131072", "1e-16383", "1e-16384", "0e-16384",
    "0.00001e131076", "1e400000", "1e2147483648", "1e99999999999999999999",
    "[" + "1e131071," * 600 + "1]", "[1,]", "[1", "01", "1.", "nul", " ", "\x01",
    '"\t"', "[" * 2000 + "]" * 2000, "[" * 2001 + "]" * 2001,
    '{"a":' * 2001 + "1" + "}" * 2001]

CRONS = [
    "* * * * *", "*/5 * * * *", "0 0 1 1 *", "0 0 29 2 *", "@yearly",
    "@hourly", "0 12 * * mon-fri", "30 0 0 * * sun", "0 0 31 2 *", "* * * *",
    "99 * * * *", "@never", "0 0 30 2 *", "1-0 * * * *", "0 0 1 1 * 2030"]

ADDRESSES = [
    "poll://any@g", "poll://uni@g/w", "poll://any@g/w", "notify://chan",
    "http://h/x", "https://h", "poll://any@", "poll://uni@g", "notify://",
    "notify://" + "c" * 64, "smtp://x", "poll://x@g", "poll://@", ""]

INTERVALS = [
    "0", "1 ms", "-1 ms", "1 microsecond", "-1 microsecond", "1 second",
    "1 day", "1 mon", "-1 mon", "1 year", "1000 years", "290000 years",
    "300000 years", "178000000 years", "-178000000 years", "infinity",
    "2147483647 days", "-2147483648 days", "2562047788:00:54.775807",
    "-2562047788:00:54.775808", "178956970 years 7 mons 2147483647 days",
    "178956970 years -2147483648 days", "-178956970 years 2147483647 days",
    "1 mon -30 days", "P1Y", "nonsense", "", "1e400 s", "NaN"]

TIMESTAMPS = [
    "infinity", "-infinity", "epoch", "1969-12-31 23:59:59.999+00",
    "1970-01-01 00:00:00.001+00", "2024-02-29 00:00+00",
    "294276-12-31 23:59:59.999999+00", "4713-01-01 00:00+00 BC",
    "2030-01-01 00:00+00", "0001-01-01 00:00+00", "nonsense", "",
    "2024-13-01", "294277-01-01"]


def raw(text):
    """A number or array that is written as it is."""
    return "<raw:%s>" % text


def number(rng):
    """A JSON number."""
    choice = rng.random()
    if choice < 0.5:
        return rng.choice(NUMBERS)
    if choice < 0.75:
        return raw(rng.choice(_RAW_NUMBERS))
    if choice < 0.85:
        return rng.randrange(-10, 1000)
    return rng.getrandbits(rng.randrange(1, 70)) * rng.choice([1, -1])


def string(rng):
    """A string: mostly short and peculiar, sometimes very long."""
    choice = rng.random()
    if choice < 0.5:
        return rng.choice(_STRINGS)
    if choice < 0.85:
        return "".join(rng.choice(_CHARACTERS)
                       for _ in range(rng.randrange(1, 6)))
    if choice < 0.99:
        # Around the limits of ids, addresses, keys and expressions.
        length = rng.choice([62, 63, 64, 254, 255, 256, 1023, 1024, 1025, 2048])
        unit = rng.choice(["a", "\xe9", "\u6f22", "\U0001f600", "*", "."])
        return unit * (length // len(unit.encode("utf-8")))
    return rng.choice(["x", "\u3042"]) * rng.choice([8191, 65536, 300000])


def nested(rng):
    """Arrays in each other, deep, but a leaf for whoever looks at the value."""
    depth = rng.choice([2, 10, 100, 1000, 6000, 20000])
    return raw("[" * depth + rng.choice(["", "1", "null"]) + "]" * depth)


def value(rng, depth=2):
    """Any JSON value."""
    choice = rng.random()
    if choice < 0.25:
        return number(rng)
    if choice < 0.6:
        return string(rng)
    if choice < 0.7:
        return rng.choice([None, True, False, [], {}, [[]], [{}], {"": ""}])
    if choice < 0.72:
        return nested(rng)
    if depth == 0:
        return None
    if choice < 0.86:
        return [value(rng, depth - 1) for _ in range(rng.randrange(4))]
    return {string(rng): value(rng, depth - 1) for _ in range(rng.randrange(4))}


def encoded_json(rng):
    """Text that is JSON, or nearly, in base64 as the protocol carries it."""
    if rng.random() < 0.5:
        text = rng.choice(_PECULIAR_JSON)
    else:
        text = write_json(value(rng), rng)
    data = text.encode("utf-8", "surrogatepass")
    if rng.random() < 0.2:
        data = data[:rng.randrange(len(data) + 1)]
    return base64.b64encode(data).decode("ascii")


def write_json(message, rng):
    """The text of a JSON value, with characters escaped or as they are."""
    text = json.dumps(message, ensure_ascii=rng.random() < 0.7)
    return _RAW.sub(r"\1", text) if "<raw:" in text else text


def encode(text, encoding):
    """The bytes of a text; what the encoding lacks becomes its bytes in UTF-8.

    That is no text of the encoding then, which the server has to find out.
    """
    try:
        return text.encode(encoding)
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
