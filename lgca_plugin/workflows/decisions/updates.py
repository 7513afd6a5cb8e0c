"""The database updates that decide about samples and undo decisions, as aggregation stages of MongoDB.

Each is one update, the same for all samples of a call: what differs between samples is read from the sample, in the
database, when it is written. :mod:`.decisions` lists what an event holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .decisions import ATTRIBUTES, UNDONE, Decision

if TYPE_CHECKING:
    from .decisions import AuditStamp, DecisionFields

Expression = Any
Stages = list[dict[str, Any]]

_WORK = "__lgca"  # field of intermediate values, removed by the last stage


def decide_update(fields: DecisionFields, stamp: AuditStamp, decision: Decision, label: str | None) -> Stages:
    """Returns the stages that decide about samples.

    They replace a sample's previous decision: its tag, and its corrected label unless that was changed since. The
    accepted label is ``label``, else the sample's suggestion. A given label that is kept replaces a corrected one that
    was there before any decision about the run, such as one of an earlier run.
    """
    accepted = decision is Decision.ACCEPTED
    own_id = None if fields.corrected_as_text else _new_id(stamp.id[:8])
    state, current = f"${fields.decision}.state", _corrected_label(fields)
    suggested, given, fallback = f"${fields.suggestion}.label", f"${fields.given}", None
    if fields.ground_truth is not None:
        fallback = f"${fields.ground_truth}"
        if fields.given_as_text:
            fallback = _label_of_text(fallback, _id=own_id, tags=[])
    base = _if(_same_label(current, f"{state}.after"), f"{state}.base", current)
    corrected = (_literal(label) if label is not None else _or_null(suggested)) if accepted else None
    kept: Expression = _work("base")
    if decision in (Decision.LABEL_RIGHT, Decision.BAD_CROP):
        is_first = {"$eq": [_or_null(f"${fields.decision}.action"), None]}
        differs = {"$ne": [_or_null(_work("current.label")), _or_null(given)]}
        kept = _if({"$and": [is_first, differs]}, _first(fallback, kept), kept)
    accepted_label: dict[str, Expression] = {"_id": own_id, "_cls": "Classification", "tags": [], "label": corrected}
    event = {
        **_event(stamp),
        "decision": decision.value,
        "given": _or_null(given),
        "suggested": _or_null(suggested),
        "corrected": corrected,
        "undoes": None,
        "base": _without_class(_work("base")) if accepted else None,
        "tagged": _work("tagged"),
    }
    new_state = {
        "tag": _if(_work("tagged"), decision.tag, None),
        "after": _work("event.after") if accepted else None,
        "base": _work("event.base"),
    }
    return [
        _set_work(
            current=current, own_tag=_or_null(f"{state}.tag"), tags=_or_empty("$tags"), base=_first(base, fallback)
        ),
        _set_work(new=accepted_label if accepted else _with_class(kept), rest=_tags_without_own()),
        _set_work(
            wrote={"$ne": [_label_key(_work("current")), _label_key(_work("new"))]},
            tagged={"$not": [{"$in": [decision.tag, _work("rest")]}]},
        ),
        _set_work(event=event),
        _write(fields, stamp, _work("event"), label=decision.value, state=new_state, tag=new_state["tag"]),
        {"$unset": _WORK},
    ]


def undo_update(fields: DecisionFields, stamp: AuditStamp) -> Stages:
    """Returns the stages that undo a sample's current decision and restore the previous one.

    A corrected label that was changed since is left. Each sample must have a current decision.
    """
    state, history = f"${fields.decision}.state", f"${fields.decision}.history"
    current = _corrected_label(fields)
    is_undone = {"$in": ["$$event.action", f"{history}.undoes"]}
    decides = {"$eq": [_or_null("$$event.undoes"), None]}
    open_events = {"$filter": {"input": history, "as": "event", "cond": {"$and": [decides, {"$not": [is_undone]}]}}}
    previous = _if({"$gt": [{"$size": _work("open")}, 1]}, {"$arrayElemAt": [_work("open"), -2]}, None)
    event = {
        **_event(stamp),
        **dict.fromkeys(("decision", "corrected", "base")),
        "given": _work("undone.given"),
        "suggested": _work("undone.suggested"),
        "undoes": _work("undone.action"),
        "tagged": False,
        "kept": {"$and": [_work("undone.wrote"), {"$not": [_work("wrote")]}]},
    }
    restored = _work("undone.untagged")
    tag = _if({"$in": [restored, _work("rest")]}, None, restored)
    accepted = {"$eq": [_or_null(_work("previous.decision")), Decision.ACCEPTED.value]}
    new_state = {
        "tag": tag,
        "after": _if(accepted, _work("previous.after"), None),
        "base": _or_null(_work("previous.base")),
    }
    label = {"$ifNull": [_work("previous.decision"), UNDONE]}
    return [
        _set_work(current=current, own_tag=_or_null(f"{state}.tag"), tags=_or_empty("$tags"), open=open_events),
        _set_work(undone={"$arrayElemAt": [_work("open"), -1]}, previous=previous, rest=_tags_without_own()),
        _set_work(
            new=_with_class(_work("undone.before")),
            wrote={"$and": [_work("undone.wrote"), _same_label(_work("current"), _work("undone.after"))]},
        ),
        _set_work(event=event),
        _write(fields, stamp, _work("previous"), label=label, state=new_state, tag=tag),
        {"$unset": _WORK},
    ]


def _event(stamp: AuditStamp) -> dict[str, Expression]:
    """Returns what the events of deciding and of undoing have in common."""
    return {
        "action": stamp.id,
        "by": _literal(stamp.by),
        "at": stamp.at,
        "note": _literal(stamp.note),
        "before": _without_class(_work("current")),
        "wrote": _work("wrote"),
        "after": _if(_work("wrote"), _label_key(_work("new")), None),
        "untagged": _if({"$in": [_work("own_tag"), _work("tags")]}, _work("own_tag"), None),
    }


def _write(
    fields: DecisionFields, stamp: AuditStamp, standing: str, *, label: Expression, state: Expression, tag: Expression
) -> dict[str, Any]:
    """Returns the stage that writes an event, the current decision, the corrected label if it changes, and the tags."""
    decision = {
        "_id": _first(f"${fields.decision}._id", _new_id(stamp.id[8:16])),
        "_cls": "Classification",
        "tags": _or_empty(f"${fields.decision}.tags"),
        "label": label,
        **{name: _or_null(f"{standing}.{name}") for name in ATTRIBUTES},
        "state": state,
        "history": {"$concatArrays": [_or_empty(f"${fields.decision}.history"), [_work("event")]]},
    }
    new = _or_null(_work("new.label")) if fields.corrected_as_text else _work("new")
    added = {"$let": {"vars": {"tag": tag}, "in": _if({"$eq": ["$$tag", None]}, [], ["$$tag"])}}
    return {
        "$set": {
            fields.decision: decision,
            fields.corrected: _if(_work("wrote"), new, f"${fields.corrected}"),  # which may be missing
            "tags": {"$concatArrays": [_work("rest"), added]},
            "last_modified_at": stamp.at,
        }
    }


def _corrected_label(fields: DecisionFields) -> Expression:
    """Returns the corrected label as a document, null if there is none; that of a text has no id."""
    path = f"${fields.corrected}"
    return _label_of_text(path, _id=None) if fields.corrected_as_text else _or_null(path)


def _label_of_text(path: str, **parts: Expression) -> Expression:
    return _if({"$eq": [_or_null(path), None]}, None, {**parts, "label": path})


def _set_work(**values: Expression) -> dict[str, Any]:
    return {"$set": {f"{_WORK}.{name}": value for name, value in values.items()}}


def _work(path: str) -> str:
    return f"${_WORK}.{path}"


def _tags_without_own() -> Expression:
    return {"$filter": {"input": _work("tags"), "as": "tag", "cond": {"$ne": ["$$tag", _work("own_tag")]}}}


def _if(condition: Expression, then: Expression, otherwise: Expression) -> Expression:
    return {"$cond": [condition, then, otherwise]}


def _literal(value: str | None) -> Expression:
    return {"$literal": value}  # a text may begin with a dollar


def _first(*values: Expression) -> Expression:
    """Returns the first value that is not missing or null; null if there is none."""
    return {"$ifNull": [*values, None]}


def _or_null(value: Expression) -> Expression:
    return _first(value)


def _or_empty(value: Expression) -> Expression:
    return {"$ifNull": [value, []]}


def _label_key(label: str) -> Expression:
    """Returns a label's id and class, by which it is compared; the id of a text is null."""
    return {"_id": _or_null(f"{label}._id"), "label": _or_null(f"{label}.label")}


def _same_label(label: Expression, key: str) -> Expression:
    keyed = {"$let": {"vars": {"label": label}, "in": _label_key("$$label")}}
    return {"$eq": [keyed, _or_null(key)]}


def _without_class(label: Expression) -> Expression:
    """Returns a label as plain data: with ``_cls``, FiftyOne would load it as a label and copies would get new ids."""
    return {"$unsetField": {"field": "_cls", "input": label}}


def _with_class(label: Expression) -> Expression:
    return _if({"$eq": [_or_null(label), None]}, None, {"$mergeObjects": [label, {"_cls": "Classification"}]})


def _new_id(prefix: str) -> Expression:
    """Returns a new id: 8 random hexadecimal digits of the action, and 16 of the sample's id."""
    own = {"$substrBytes": [{"$toString": "$_id"}, 8, 16]}
    return {"$toObjectId": {"$concat": [prefix, own]}}
