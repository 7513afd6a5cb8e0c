"""Predictions that are on the samples already, as the methods of a run that encodes nothing."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ..method.core.methods import METHOD_TABLE

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


@dataclass(frozen=True, kw_only=True)
class Voter:
    """A field of predictions that judges labels.

    Attributes:
        field: path of a label field, which is only read
        name: name of the method in the run; the run's copy of the predictions is in ``K_name``
    """

    field: str
    name: str

    def to_json(self) -> dict[str, str]:
        """Returns the voter as a JSON-ready dict; ``Voter(**document)`` reads it."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Voter:
        """Reads what :meth:`to_json` wrote; raises TypeError or ValueError for anything else."""
        voter = cls(**document)
        if not all(isinstance(value, str) and value for value in (voter.field, voter.name)):
            raise ValueError("a field of predictions and its name must be text")
        return voter


def voters_of(fields: Sequence[str], reserved: Collection[str]) -> tuple[Voter, ...]:
    """Returns voters for fields, with names that are identifiers, distinct, and none of ``reserved``.

    Names of the library's methods are avoided as well: they stand for what those look at.
    """
    taken = {*METHOD_TABLE, *reserved}
    voters = []
    for field in fields:
        name = base = re.sub(r"\W", "_", field)
        number = 1
        while name in taken:
            number += 1
            name = f"{base}_{number}"
        taken.add(name)
        voters.append(Voter(field=field, name=name))
    return tuple(voters)
