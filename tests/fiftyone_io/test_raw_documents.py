"""Documents taken apart by their bytes say what the driver says of them."""

import datetime as dt

import bson
import pytest
from bson import Binary, Decimal128, ObjectId
from hypothesis import given
from hypothesis import strategies as st

from lgca_plugin.fiftyone_io import raw_documents
from lgca_plugin.fiftyone_io.raw_documents import read_raw

PATHS = ("case", "clip.label", "clip.margin", "deep.er.label", "missing.label")
NAMES = ("case", "clip", "deep", "other")
LABELS = st.sampled_from(["heron", "goose", "", "Käuzchen", "a\0b", "x" * 300])
PLAIN = st.one_of(
    LABELS,
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.datetimes(dt.datetime(1970, 1, 1), dt.datetime(2100, 1, 1)).map(lambda at: at.replace(microsecond=0)),
)
ODD = st.sampled_from([Binary(b"12", 128), Decimal128("1.5"), ObjectId(b"another one!")])


def documents(values):
    inner = st.dictionaries(
        st.sampled_from(["label", "margin", "er"]), values | st.dictionaries(st.just("label"), LABELS)
    )
    fields = st.dictionaries(st.sampled_from(NAMES), values | inner | st.lists(LABELS, max_size=2))
    return st.builds(lambda id_, rest: {"_id": ObjectId(id_), **rest}, st.binary(min_size=12, max_size=12), fields)


def expected(found):
    def dig(value, path):
        for name in path.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        return value

    return [[one["_id"].binary for one in found], *([dig(one, path) for one in found] for path in PATHS)]


@given(st.lists(st.lists(documents(PLAIN), max_size=6), max_size=4))
def test_read_raw__says_what_the_driver_says(batches):
    found = read_raw([b"".join(map(bson.encode, batch)) for batch in batches], PATHS)

    assert found == expected([one for batch in batches for one in batch])


@given(st.lists(documents(PLAIN | ODD), max_size=6))
def test_read_raw__leaves_what_it_does_not_know_to_the_driver(batch):
    assert read_raw([b"".join(map(bson.encode, batch))], PATHS) == expected(batch)


def test_read_raw__one_path_asked_for_twice_and_ids_that_are_not_in_front():
    id_ = ObjectId()

    assert read_raw([bson.encode({"a": {"b": 1}, "_id": id_})], ["a.b", "a", "a.b"]) == [
        [id_.binary],
        [1],
        [{"b": 1}],
        [1],
    ]


def test_read_raw__does_not_decode_what_it_has_seen(monkeypatch):
    batch = b"".join(bson.encode({"_id": ObjectId(), "clip": {"label": f"class {n % 3}"}}) for n in range(300))
    decoded, decode = [], bson.decode
    monkeypatch.setattr(raw_documents.bson, "decode", lambda found: decoded.append(found) or decode(found))

    ids, labels = read_raw([batch, batch], ["clip.label"])

    assert len(set(ids)) == 300 and labels == [f"class {n % 3}" for n in range(300)] * 2
    assert len(decoded) == 3


@pytest.mark.parametrize("batches", [[], [b""]])
def test_read_raw__of_nothing(batches):
    assert read_raw(batches, ["a.b", "c"]) == [[], [], []]
