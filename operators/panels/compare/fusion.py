"""The compare panel's section on fusing: which runs of other models have looked at the same pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ....lgca_plugin.cache import ResultCache
from ....lgca_plugin.config import FusionConfig
from ....lgca_plugin.errors import LgcaError
from ....lgca_plugin.method.number_text import first_of, labels_text, samples_text
from ....lgca_plugin.run import Run
from ....lgca_plugin.workflows.fuse.partners import Partner, fused_from, partners
from ..widgets import button, heading, row, text

MAX_NAMED = 3


@dataclass(frozen=True)
class FusionOffer:
    """What the panel offers to fuse a run with.

    Attributes:
        partners: the runs that it can be fused with, the newest first
        fused: keys of the runs that were fused from it, the newest first
    """

    partners: tuple[Partner, ...] = ()
    fused: tuple[str, ...] = ()


_OFFERS: ResultCache[FusionOffer] = ResultCache(8)


def fusion_offer(run: Run, keys: list[str], version: Any) -> FusionOffer:
    """Returns what a run can be fused with, counted anew when runs or samples have changed.

    Args:
        run: the run
        keys: the keys of the dataset's runs
        version: changes whenever samples do
    """
    if run.config.fusion is not None or len(keys) < 2:
        return FusionOffer()
    try:
        return _OFFERS.get((run.token, tuple(keys), version), lambda: _make_offer(run))
    except LgcaError:  # the panel shows everything else without the store
        return FusionOffer()


def _make_offer(run: Run) -> FusionOffer:
    found = tuple(partner for partner in partners(run.dataset, run.key) if partner.fits)
    return FusionOffer(found, tuple(fused_from(run.dataset, run.key)))


def add_fusion(panel: Any, body: Any, run: Run, offer: FusionOffer) -> None:
    """Adds the offer to fuse the run with others, or what a fused run was made from; nothing where there is neither."""
    if run.config.fusion is not None:
        _add_sources(body, run, run.config.fusion)
    if not offer.partners:
        return
    about = "Fused, the crops of all models are weighed together: one method more, and no picture is encoded again."
    heading(body, "fusion_head", "Other models on the same pictures", about)
    named = [f"{one.key!r} (model {one.encoder}, {samples_text(one.samples)} in common)" for one in offer.partners]
    words = "Run" if len(named) == 1 else "Runs"
    text(body, "fusion_partners", f"{words} {first_of(named, MAX_NAMED)}", muted=True)
    line = row(body, "fusion_do", gap="6px")
    title = "Opens the form, which says what it costs and how many labels it would learn from"
    button(line, "fuse", "Fuse runs", panel.open_form, title=title, params={"form": "fuse"}, main=not offer.fused)
    for key in offer.fused[:MAX_NAMED]:
        title = f"Compare the fused run with the methods of run {run.key!r}"
        button(line, f"show_{key}", f"Show {key}", panel.pick_run, title=title, params={"value": key})


def _add_sources(body: Any, run: Run, fusion: FusionConfig) -> None:
    """Adds from which runs a fused run was made, and what it has learnt from."""
    models = [(fusion.run_key, run.config.encoder), *((one.run_key, one.config.encoder) for one in fusion.others)]
    named = [f"run {key!r} (model {encoder})" for key, encoder in models]
    learnt = "Nothing was learnt: the models are added up."
    if fusion.labels:
        learnt = (
            f"It has learnt from {labels_text(fusion.labels)} in {fusion.ground_truth}, and each of these pictures is "
            "answered by weights that have not seen its label."
        )
    heading(body, "fusion_head", "Where HADA comes from")
    text(body, "fusion_sources", f"Fused from {', '.join(named[:-1])} and {named[-1]}. {learnt}", muted=True)
