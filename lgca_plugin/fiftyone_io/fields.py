"""The fields of a run and of its triage: their names and their declarations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import ConfigError
from ..method.core.methods import METHOD_TABLE, explained_method
from .database import merge_schema
from .outages import waits_for_database

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import fiftyone as fo

    from ..method.core.methods import Method

CASE = "case"
MISLEADING = "misleading"
STABILITY = "stability"
LABEL_QUALITY = "label_quality"
SUGGESTION = "suggestion"
SUSPECT = "suspect"
DECISION = "decision"

COMPUTED = (CASE, MISLEADING, STABILITY, LABEL_QUALITY, SUGGESTION, SUSPECT)
"""Fields that every triage computes again; ``DECISION`` is written by people.

``SUSPECT`` is for people alone: the given and the suggested label in one text, as the grid shows it."""

BEST_ANSWER = "best_answer"
"""Field that a triage writes where it is to say which pictures show none of the classes."""
LIKELIEST = "likeliest"
"""Attribute of the best answer: the likeliest class, also where that is not likely enough to be the answer."""
NONE_OF_THESE = "none of these"
"""Best answer on a picture that probably shows none of the classes; no class is called so."""

NEAR_DUPLICATE = "near_duplicate"
"""Attribute of a suggestion: id of the sample with nearly the same picture whose label contradicts the given one."""
UNLIKE = "unlike"
"""Attribute of a suggestion: True where the picture is unlike all others."""

CALIBRATED = "calibrated"
"""Attribute of a method's label that a triage writes, as ``LABEL_QUALITY`` is."""

REGION_ATTRIBUTES = {
    "step": "IntField",
    "similarity": "FloatField",
    "weight": "FloatField",
    "contribution": "FloatField",
    "misleading": "BooleanField",
}
"""Attributes of a displayed region, beside those of every Detection, to the kind of their field."""

BEFORE_SHARES = "before_shares"
"""Attribute of a label that known shares of the classes have changed: what the label was before."""

FOLD = "fold"
"""Attribute of a learned method's label: the part of the labels that the weights behind it have not seen.

None where the sample was not learnt from."""

CORRECTED_INFO = "lgca"
"""Key in the info of a field of corrected labels that a first decision has created, and of a field of decisions."""

RESERVED_NAMES = ("regions", "encodes", "error", *COMPUTED, DECISION)
"""Names that no method may have: those of a run's other fields, without the run's key."""


def classification_fields(dataset: fo.Dataset) -> list[str]:
    """Returns the paths that hold one Classification a sample, those inside embedded documents too, in lists not."""
    import fiftyone as fo

    kinds = {"ftype": fo.EmbeddedDocumentField, "embedded_doc_type": fo.Classification}
    return [path for path in dataset.get_field_schema(flat=True, **kinds) if not is_in_list(dataset, path)]


def is_in_list(dataset: fo.Dataset, path: str) -> bool:
    """Returns True if a path leads through a list."""
    import fiftyone as fo

    parts = path.split(".")
    return any(isinstance(dataset.get_field(".".join(parts[:n])), fo.ListField) for n in range(1, len(parts)))


def decision_note(dataset: fo.Dataset, name: str) -> dict[str, str]:
    """Returns what is noted on a field of decisions: ``decisions_of``, the run's key, and the fields they go with.

    These are ``corrected_field`` and, with given labels, ``ground_truth``. Empty on other fields, and on those of
    releases before 0.2.
    """
    field = dataset.get_field(name)
    note = dict((None if field is None else field.info) or {}).get(CORRECTED_INFO) or {}
    return dict(note) if "decisions_of" in note else {}


def is_corrected_copy(dataset: fo.Dataset, name: str) -> bool:
    """Returns True if a field exists and was created by a first decision, for corrected labels."""
    field = dataset.get_field(name)
    return field is not None and "copy_of" in dict((field.info or {}).get(CORRECTED_INFO) or {})


def corrected_copies(dataset: fo.Dataset) -> list[str]:
    """Returns the fields of corrected labels that first decisions have created."""
    return [name for name in dataset.get_field_schema() if is_corrected_copy(dataset, name)]


def method_field(run_key: str, method: str) -> str:
    """Returns the field of a method's predictions."""
    return f"{run_key}_{method}"


def regions_field(run_key: str) -> str:
    """Returns the field of the displayed regions."""
    return f"{run_key}_regions"


def encodes_field(run_key: str) -> str:
    """Returns the field of the number of encodes of an image under an adaptive budget."""
    return f"{run_key}_encodes"


def error_field(run_key: str) -> str:
    """Returns the field of the reason why a sample has no result."""
    return f"{run_key}_error"


def eval_key(run_key: str, method: str) -> str:
    """Returns the key of a method's evaluation, which is also the field with its outcome on each sample."""
    return f"{method_field(run_key, method)}_eval"


def evaluated_field(run_key: str) -> str:
    """Returns the field of given labels that are texts, as FiftyOne evaluates them: as Classifications."""
    return f"{run_key}_evaluated"


def triage_field(run_key: str, name: str) -> str:
    """Returns one of the fields that a triage of a run writes."""
    return f"{run_key}_{name}"


def usual_label_fields(run_key: str) -> set[str]:
    """Returns the names of a run's fields of labels and texts, if its methods have the names that the package gives."""
    own = {error_field(run_key), evaluated_field(run_key)}
    own |= {triage_field(run_key, name) for name in (*COMPUTED, BEST_ANSWER, DECISION)}
    return own | {method_field(run_key, name) for name in METHOD_TABLE}


def run_fields(run_key: str, methods: Sequence[Method], *, adaptive: bool = False) -> list[str]:
    """Returns the fields of a run in the App's order: of regions if a method uses any, of encodes if ``adaptive``."""
    names = [method_field(run_key, method.name) for method in methods]
    if explained_method(methods) is not None:
        names.append(regions_field(run_key))
    if adaptive:
        names.append(encodes_field(run_key))
    return [*names, error_field(run_key)]


def conflicting_fields(
    dataset: fo.Dataset, run_key: str, methods: Sequence[Method], own: Sequence[str], *, adaptive: bool = False
) -> list[str]:
    """Returns the fields that a run would write, that exist, and that the run it replaces does not ``own``."""
    schema = dataset.get_field_schema()
    return [name for name in run_fields(run_key, methods, adaptive=adaptive) if name in schema and name not in own]


def declare_fields(
    dataset: fo.Dataset, run_key: str, methods: Sequence[Method], *, adaptive: bool = False, shares: bool = False
) -> None:
    """Declares a run's fields, with the labels before shares of the classes if there are ``shares``.

    Fields that exist are left as they are.
    """
    import fiftyone as fo

    # In one schema, nested fields included: for every schema FiftyOne reads and writes the whole dataset record.
    schema: dict[str, fo.Field] = {}
    for method in methods:
        parts: dict[str, fo.Field] = {"margin": fo.FloatField()}
        if method.weighting == "learned":
            parts[FOLD] = fo.IntField()
        if shares:
            parts[BEFORE_SHARES] = fo.StringField()
        schema[method_field(run_key, method.name)] = classification_field(parts)
    path = regions_field(run_key)
    if path in run_fields(run_key, methods):
        attributes = [_named(name, getattr(fo, kind)()) for name, kind in REGION_ATTRIBUTES.items()]
        boxes = fo.ListField(fo.EmbeddedDocumentField(fo.Detection, fields=attributes))
        schema[path] = fo.EmbeddedDocumentField(fo.Detections, fields=[_named("detections", boxes)])
    if adaptive:
        schema[encodes_field(run_key)] = fo.IntField()
    schema[error_field(run_key)] = fo.StringField()
    merge_schema(dataset, schema)


def classification_field(parts: Mapping[str, fo.Field], **notes: Any) -> fo.EmbeddedDocumentField:
    """Returns a field of Classifications with further attributes.

    Merged into a schema that has the field, it adds those that are missing there.

    Args:
        parts: the attributes by name
        **notes: description and info
    """
    import fiftyone as fo

    fields = [_named(name, part) for name, part in parts.items()]
    return fo.EmbeddedDocumentField(fo.Classification, fields=fields, **notes)


def _named(name: str, field: fo.Field) -> fo.Field:
    """Sets the name of a field inside a document, as FiftyOne does."""
    field.name = field.db_field = name
    return field


def check_not_read_only(dataset: fo.Dataset, fields: Iterable[str], so: str) -> None:
    """Checks that none of some sample fields is read-only; those that are missing are passed over.

    FiftyOne refuses to delete a read-only field, after others may be gone, and this package's own updates would pass
    over its protection.

    Raises:
        ConfigError: if one is; ``so`` is the consequence in words, such as "the run can't be deleted"
    """
    schema = dataset.get_field_schema()
    name = next((name for name in fields if name in schema and schema[name].read_only), None)
    if name is not None:
        why = f"field {name!r} is read-only, so {so}"
        raise ConfigError(
            f"{why}: make it writable first (field = dataset.get_field({name!r}); field.read_only = False; "
            "field.save())",
            app=f"{why}: it has to be made writable first",
        )


@waits_for_database
def delete_fields(dataset: fo.Dataset, fields: Sequence[str]) -> None:
    """Deletes sample fields; those that are missing are passed over."""
    schema = dataset.get_field_schema()
    present = [field for field in fields if field in schema]
    if present:
        dataset.delete_sample_fields(present)
