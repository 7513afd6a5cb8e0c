"""A corpus of bad inputs, made by rule: what JSON, text, numbers and names can be instead of what they should be."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import numpy as np

from tests.helpers.bad_inputs.parsers import changed, count_places, documents

DEPTH = 100_000
DIGITS = b"7" * 5000


class BadInput(NamedTuple):
    """An input of a parser; ``refused`` None where it may be taken, as far as the corpus can say."""

    parser: str
    name: str
    value: Any
    refused: bool | None = True


WRONG: dict[str, Any] = {
    "null": None,
    "true": True,
    "a number": 3.5,
    "a negative number": -1,
    "a huge number": 10**30,
    "infinity": float("inf"),
    "nan": float("nan"),
    "a text": "x",
    "an empty text": "",
    "a long text": "x" * 50_000,
    "a list": [],
    "a list of lists": [[[]]],
    "an object": {},
    "an object of objects": {"a": {"b": {}}},
}
"""What stands in the place of every value of a sound document, one at a time."""


def json_inputs() -> list[BadInput]:
    """Returns inputs that are no JSON, or not the JSON that they should be, for each parser of JSON."""
    found = []
    for parser, document in documents().items():
        sound = json.dumps(document).encode()
        strange = {
            "empty": b"",
            "one byte": b"{",
            "no JSON": b"tern: an orange beak",
            "a zip file": b"PK\x03\x04" + bytes(100),
            "zeros": bytes(1000),
            "UTF-16": sound.decode().encode("utf-16"),
            "Latin-1": b'{"tern": ["caf\xe9"]}',
            "a byte order mark": b"\xef\xbb\xbf" + sound,
            "cut in the middle": sound[: len(sound) // 2],
            "cut before its end": sound[:-1],
            "twice": sound + sound,
            "with a comma too many": sound[:-1] + b",}",
            "nested too deeply": b"[" * DEPTH,
            "objects nested too deeply": b'{"tern":' * DEPTH,
            "deep and closed": b'{"tern":' + b"[" * DEPTH + b"]" * DEPTH + b"}",
            "5,000 digits": b'{"tern": [' + DIGITS + b"]}",
            "5,000 digits for a document": DIGITS,
            "exponent": b'{"tern": [1e400]}',
            "half a character": rb'{"tern": ["\ud800 beak"], "gull": ["\udc00"]}',
            "half a character in a name": rb'{"tern\ud800": ["beak"], "tern": ["beak"]}',
            "a zero in a text": rb'{"tern": ["a\u0000b"]}',
            "a name of a megabyte": b'{"' + b"x" * 10**6 + b'": 3}',
            "a key twice": b'{"tern": ["a"], "tern": ["b"]}',
            "150,000 keys, one twice": b"{" + b",".join(b'"%d":["a"]' % (n // 2 * 2) for n in range(150_000)) + b"}",
            "a text for a document": b'"tern"',
            "a list for a document": b"[1, 2, 3]",
            "null for a document": b"null",
            "escapes": rb'{"\u0074ern": ["\ud83d\ude00 \u202e beak"]}',
        }
        found += [BadInput(parser, name, value, None) for name, value in strange.items()]
        for at in range(count_places(document)):
            for name, value in WRONG.items():
                if (at + len(name)) % 3 == 0 or at < 3:  # a third of them, all kinds at the first places
                    spoilt = json.dumps(changed(document, at, value)).encode()
                    found.append(BadInput(parser, f"value {at} is {name}", spoilt, None))
    return found


def value_inputs() -> list[BadInput]:
    """Returns values that forms, notebooks and variables may hold, for the parsers of single values."""
    half, control, long = "ter\ud800n", "ter\nn", "x" * 100_000
    classes: dict[str, Any] = {
        "none": None,
        "a text": "tern",
        "empty": [],
        "one": ["tern"],
        "twice": ["tern", "tern"],
        "twice but for spaces": ["tern", " tern "],
        "a number": ["tern", 3],
        "a number of 5,000 digits": ["tern", 10**5000],
        "null": ["tern", None],
        "blank": ["tern", "  "],
        "half a character": ["tern", half],
        "a line break": ["gull", control],
        "a zero": ["gull", "te\0rn"],
        "a paragraph separator": ["gull", "te\u2029rn"],
        "bytes": [b"tern", b"gull"],
        "a number for a list": 7,
        "long and double": [long, long],
    }
    keys: dict[str, Any] = {
        name: name for name in ("", " ", "1a", "a-b", "a.b", "$a", "_a", "a b", "a\n", "é", "a\0", "../a", "a" * 65)
    }
    keys |= {"none": None, "a number": 3, "5,000 digits": 10**5000, "half": half, "long": long, "bytes": b"a"}
    regions: dict[str, Any] = {}
    value: Any
    for name in ("crops", "lgca_crops", "steps", "seed", "scale_min", "scale_max", "keep", "growth"):
        for value in (-1, True, "3", [], {}, float("nan"), float("inf"), 10**5000, -(10**5000), 10**400, half):
            regions[f"{name} {type(value).__name__!s} {len(regions)}"] = (name, value)
    methods: dict[str, Any] = {
        "none": None,
        "empty": [],
        "unknown": ["nonsense"],
        "twice": ["clip", "clip"],
        "a number": [3],
        "5,000 digits": [10**5000],
        "half": [half],
        "a dict": {"clip": 1, "no": 2},
        "a number for a list": 4,
        "long": [long],
        "lists": [["clip"]],
    }
    method: dict[str, Any] = {}
    sound = {"name": "own", "regions": "crops"}
    for name in ("name", "regions", "weighting", "global_weight", "class_vectors", "image_scale", "decisiveness"):
        for value in (-1000, "x y", [], {}, float("nan"), 10**5000):
            method[f"{name} {len(method)}"] = {**sound, name: value}
    for value in ([], [0, 0], [-1], "x", [None], [float("nan")]):
        method[f"step_weights {len(method)}"] = {**sound, "step_weights": value}
    method |= {"no name": {"regions": "crops"}, "unknown": {**sound, "nonsense": 1}, "a list": [], "null": None}
    addresses: dict[str, Any] = {
        name: name
        for name in (
            "",
            "localhost",
            "ftp://localhost/v1",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "http://",
            "http://:80",
            "http://x:99999/v1",
            "http://x:0/v1",
            "http://x:abc/v1",
            "http://[::1/v1",
            "http://user:secret@x/v1",
            "http://x/v1?key=3",
            "http://x/v1#a",
            "http://x /v1",
            "http://x\n/v1",
            "http://é/v1",
            "http://x/" + "\ud800",
            "//x/v1",
        )
    }
    addresses |= {"none": None, "a number": 3, "5,000 digits": 10**5000, "bytes": b"http://x/v1"}
    secrets = {"two lines": "a\nb", "an accent": "clé", "half": half, "a number": 3, "digits": 10**5000, "zero": "a\0b"}
    groups = {
        "classes": classes,
        "run key": keys,
        "regions": regions,
        "methods": methods,
        "method": method,
        "address": addresses,
        "key": secrets,
    }
    return [BadInput(parser, name, value) for parser, values in groups.items() for name, value in values.items()]


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """Returns data with some bytes changed, left out, doubled or moved, or a piece of JSON put in."""
    pieces = (
        b"null",
        b"-0",
        b"1e999",
        b"[",
        b"}",
        b'"',
        b"\\",
        b"\\ud800",
        b"\xff",
        b"\0",
        b"NaN",
        DIGITS,
        b'{"a":',
        b",",
    )
    changed_data = bytearray(data)
    for _ in range(int(rng.integers(1, 6))):
        at, length = int(rng.integers(len(changed_data) + 1)), int(rng.integers(1, 30))
        kind = rng.integers(5)
        if kind == 0 and at < len(changed_data):
            changed_data[at] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            del changed_data[at : at + length]
        elif kind == 2:
            changed_data[at:at] = changed_data[at : at + length]
        elif kind == 3:
            changed_data[at:at] = pieces[int(rng.integers(len(pieces)))]
        else:
            other = int(rng.integers(len(changed_data) + 1))
            changed_data[at:at] = changed_data[other : other + length]
    return bytes(changed_data)
