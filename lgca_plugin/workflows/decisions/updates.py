"""The updates that decide about samples and take decisions back, as aggregation pipelines of MongoDB.

Each is one update of a document, the same for all samples of a call: what differs from sample to sample is read from
the sample, in the database, when it is written. :mod:`.decisions` says what an event holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .decisions import ATTRIBUTES, UNDONE, Decision

if TYPE_CHECKING:
    from .decisions import AuditStamp, DecisionFields

Expression = Any
Stages = list[dict[str, Any]]

_WORK = "__lgca"  # a field that only lives inside an update


def decide_update(places: DecisionFields, act: AuditStamp, decision: Decision, label: str | None) -> Stages:
    """Builds the update that decides about samples.

    It replaces a sample's former decision: the tag, and the corrected label where that still stands.

    Args:
        places: where decisions are kept
        act: the curator's call
        decision: what is decided
        label: the class that is accepted; None takes the sample's suggestion

    Returns:
        the stages
    """
    accepted = decision is Decision.ACCEPTED
    state, stood = f"${places.decision}.state", _or_null(f"${places.corrected}")
    suggested, given, unlabelled = f"${places.suggestion}.label", f"${places.suggestion}.given", None
    if places.ground_truth is not None:
        given, unlabelled = f"${places.ground_truth}.label", f"${places.ground_truth}"
    found = _if(_same_label(stood, f"{state}.after"), f"{state}.base", stood)
    corrected = (_literal(label) if label is not None else _or_null(suggested)) if accepted else None
    accepted_label = {"_id": _new_id(act.id[:8]), "_cls": "Classification", "tags": [], "label": corrected}
    event = {
        "action": act.id,
        "decision": decision.value,
        "given": _or_null(given),
        "suggested": _or_null(suggested),
        "corrected": corrected,
        "by": _literal(act.by),
        "at": act.at,
        "note": _literal(act.note),
        "undoes": None,
        "before": _without_class(_work("stood")),
        "base": _without_class(_work("found")) if accepted else None,
        "wrote": _work("wrote"),
        "after": _if(_work("wrote"), _label_key(_work("new")), None),
        "tagged": _work("tagged"),
        "untagged": _if({"$in": [_work("own"), _work("tags")]}, _work("own"), None),
    }
    new_state = {
        "tag": _if(_work("tagged"), decision.tag, None),
        "after": _work("event.after") if accepted else None,
        "base": _work("event.base"),
    }
    return [
        _set_work(stood=stood, own=_or_null(f"{state}.tag"), tags=_or_empty("$tags"), found=_first(found, unlabelled)),
        _set_work(new=accepted_label if accepted else _with_class(_work("found")), rest=_tags_without_own()),
        _set_work(
            wrote={"$ne": [_label_key(_work("stood")), _label_key(_work("new"))]},
            tagged={"$not": [{"$in": [decision.tag, _work("rest")]}]},
        ),
        _set_work(event=event),
        _write(places, act, _work("event"), label=decision.value, state=new_state, tag=new_state["tag"]),
        {"$unset": _WORK},
    ]


def undo_update(places: DecisionFields, act: AuditStamp) -> Stages:
    """Builds the update that takes a sample's standing decision back, and puts the former one in its place.

    A corrected label that somebody has changed since is left.

    Args:
        places: where decisions are kept
        act: the curator's call

    Returns:
        the stages; only for samples that have a standing decision
    """
    state, stood, history = f"${places.decision}.state", _or_null(f"${places.corrected}"), f"${places.decision}.history"
    undone = {"$in": ["$$event.action", f"{history}.undoes"]}
    decides = {"$eq": [_or_null("$$event.undoes"), None]}
    open_events = {"$filter": {"input": history, "as": "event", "cond": {"$and": [decides, {"$not": [undone]}]}}}
    former = _if({"$gt": [{"$size": _work("open")}, 1]}, {"$arrayElemAt": [_work("open"), -2]}, None)
    event = {
        "action": act.id,
        "decision": None,
        "given": _work("top.given"),
        "suggested": _work("top.suggested"),
        "corrected": None,
        "by": _literal(act.by),
        "at": act.at,
        "note": _literal(act.note),
        "undoes": _work("top.action"),
        "before": _without_class(_work("stood")),
        "base": None,
        "wrote": _work("wrote"),
        "after": _if(_work("wrote"), _label_key(_work("new")), None),
        "tagged": False,
        "untagged": _if({"$in": [_work("own"), _work("tags")]}, _work("own"), None),
        "kept": {"$and": [_work("top.wrote"), {"$not": [_work("wrote")]}]},
    }
    back = _work("top.untagged")
    tag = _if({"$in": [back, _work("rest")]}, None, back)
    accepted = {"$eq": [_or_null(_work("former.decision")), Decision.ACCEPTED.value]}
    new_state = {
        "tag": tag,
        "after": _if(accepted, _work("former.after"), None),
        "base": _or_null(_work("former.base")),
    }
    label = {"$ifNull": [_work("former.decision"), UNDONE]}
    return [
        _set_work(stood=stood, own=_or_null(f"{state}.tag"), tags=_or_empty("$tags"), open=open_events),
        _set_work(top={"$arrayElemAt": [_work("open"), -1]}, former=former, rest=_tags_without_own()),
        _set_work(
            new=_with_class(_work("top.before")),
            wrote={"$and": [_work("top.wrote"), _same_label(_work("stood"), _work("top.after"))]},
        ),
        _set_work(event=event),
        _write(places, act, _work("former"), label=label, state=new_state, tag=tag),
        {"$unset": _WORK},
    ]


def _write(
    places: DecisionFields, act: AuditStamp, standing: str, *, label: Expression, state: Expression, tag: Expression
) -> dict[str, Any]:
    """Writes an event, the decision that stands after it, the corrected label where it changes, and the tags."""
    decision = {
        "_id": _first(f"${places.decision}._id", _new_id(act.id[8:16])),
        "_cls": "Classification",
        "tags": _or_empty(f"${places.decision}.tags"),
        "label": label,
        **{name: _or_null(f"{standing}.{name}") for name in ATTRIBUTES},
        "state": state,
        "history": {"$concatArrays": [_or_empty(f"${places.decision}.history"), [_work("event")]]},
    }
    added = {"$let": {"vars": {"tag": tag}, "in": _if({"$eq": ["$$tag", None]}, [], ["$$tag"])}}
    return {
        "$set": {
            places.decision: decision,
            places.corrected: _if(_work("wrote"), _work("new"), f"${places.corrected}"),  # which may be missing
            "tags": {"$concatArrays": [_work("rest"), added]},
            "last_modified_at": act.at,
        }
    }


def _set_work(**values: Expression) -> dict[str, Any]:
    return {"$set": {f"{_WORK}.{name}": value for name, value in values.items()}}


def _work(path: str) -> str:
    return f"${_WORK}.{path}"


def _tags_without_own() -> Expression:
    return {"$filter": {"input": _work("tags"), "as": "tag", "cond": {"$ne": ["$$tag", _work("own")]}}}


def _if(condition: Expression, then: Expression, otherwise: Expression) -> Expression:
    return {"$cond": [condition, then, otherwise]}


def _literal(value: str | None) -> Expression:
    return {"$literal": value}  # a text may begin with a dollar


def _first(*values: Expression) -> Expression:
    """Gives the first value that is there and not null; null if there is none."""
    return {"$ifNull": [*values, None]}


def _or_null(value: Expression) -> Expression:
    return _first(value)


def _or_empty(value: Expression) -> Expression:
    return {"$ifNull": [value, []]}


def _label_key(label: str) -> Expression:
    """Gives what tells whether a label is still the same: its id and its class."""
    return {"_id": _or_null(f"{label}._id"), "label": _or_null(f"{label}.label")}


def _same_label(label: Expression, key: str) -> Expression:
    keyed = {"$let": {"vars": {"label": label}, "in": _label_key("$$label")}}
    return {"$eq": [keyed, _or_null(key)]}


def _without_class(label: Expression) -> Expression:
    """Gives a label as plain data: a part with ``_cls`` would be loaded as a label, and get a new id when copied."""
    return {"$unsetField": {"field": "_cls", "input": label}}


def _with_class(label: str) -> Expression:
    return _if({"$eq": [_or_null(label), None]}, None, {"$mergeObjects": [label, {"_cls": "Classification"}]})


def _new_id(prefix: str) -> Expression:
    """Makes an id from 8 random hexadecimal digits of the action and 16 of the sample's own id, which others lack."""
    own = {"$substrBytes": [{"$toString": "$_id"}, 8, 16]}
    return {"$toObjectId": {"$concat": [prefix, own]}}
