"""Cursors of search_promises, as nobody has been given them.

The checksum is always right, or nothing behind it would be reached.
"""

import base64
import struct

VERSION = 2
LENGTHS = [-2**31, -2, -1, 0, 1, 100, 1024, 1025, 3073, 3074, 2**26, 2**31 - 1]
TEXTS = [b"", b"*", b"p*", b"p1", b"\\", b"\\*\\\\*", b"%_", b"\x00", b"\xff",
         b"\xe6\xbc", b"\xf0\x9f\x98\x80", b"x" * 1024, b"x" * 1025,
         b"\\*" * 1536 + b"*", b"{}", b'{"a": "b"}']


def crc32c(data):
    """The checksum of a cursor."""
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def _string(data):
    return struct.pack(">i", len(data)) + data


def _tags(rng):
    if rng.random() < 0.4:
        return struct.pack(">i", -1)
    n = rng.choice([0, 1, 2, 3, 50])
    pairs = [_string(rng.choice(TEXTS)) for _ in range(2 * n)]
    if rng.random() < 0.2:
        n = rng.choice(LENGTHS)
    return struct.pack(">i", n) + b"".join(pairs)


def _body(rng):
    """A body that is right in its form, most of the time."""
    version = VERSION if rng.random() < 0.95 else rng.randrange(256)
    group = rng.randrange(6) if rng.random() < 0.95 else rng.randrange(256)
    limit = rng.choice([1, 2, 10, 100]) if rng.random() < 0.9 \
        else rng.choice(LENGTHS)
    created_at = rng.choice([-2**63, -1, 0, 4 * 10**12, 2**63 - 1])
    return struct.pack(">BBiq", version, group, limit, created_at) + \
        _string(rng.choice(TEXTS)) + _string(rng.choice(TEXTS)) + _tags(rng)


def _mutated(rng, body):
    """The body with some of its bytes changed, moved, or left out."""
    result = bytearray(body)
    for _ in range(rng.choice([1, 1, 1, 2, 8])):
        at = rng.randrange(len(result))
        way = rng.randrange(5)
        if way == 0:
            result[at] = rng.randrange(256)
        elif way == 1:
            result[at] ^= 1 << rng.randrange(8)
        elif way == 2:
            result[at:at + 4] = struct.pack(">i", rng.choice(LENGTHS))
        elif way == 3:
            del result[at + 1:]
        else:
            result[at:at] = bytes(rng.randrange(256)
                                  for _ in range(rng.randrange(1, 9)))
    return bytes(result)


def forged(rng):
    """A cursor, as text."""
    body = _body(rng)
    if rng.random() < 0.5:
        body = _mutated(rng, body)
    result = base64.b64encode(struct.pack(">I", crc32c(body)) + body).decode()
    if rng.random() < 0.1:
        at = rng.randrange(len(result))
        result = result[:at] + rng.choice(["", "=", "A", "\n", "*", "\xe9"]) + \
            result[at + 1:]
    return result
