"""What a fusion costs, from the counts that the form has: embeddings are read, and labels learnt from."""

from __future__ import annotations

from collections.abc import Sequence

from ...lgca_plugin.config import RunConfig
from ...lgca_plugin.fusion.settings import FUSED_LABELS, FusionSettings
from ...lgca_plugin.progress import duration_text
from ...lgca_plugin.workflows.fuse.partners import Partner

READ_SECONDS = 2e-5
"""Time to read and weigh one embedding of one model."""

STEP_SECONDS = 2e-6
"""Time of a training step for each embedding of 512 numbers in it, on one core of a CPU; of 128 it is 1.3e-6."""

BATCH = 128
"""Maximum number of pictures in a training step."""


def cost_lines(config: RunConfig, others: Sequence[Partner], labels: int, folds: int) -> tuple[str, str]:
    """Returns the line on what a fusion does, and a note on its time.

    Args:
        config: the first run's
        others: the runs that it is fused with
        labels: number of labels that are learnt from
        folds: number of folds
    """
    pictures, crops = min(other.samples for other in others), config.region_plan.encodes_per_image
    embeddings = crops * (1 + len(others))
    kinds = 1 if labels < FUSED_LABELS else 2  # with the common space and without
    steps = (kinds * folds + 1) * max(FusionSettings().steps)
    seconds = READ_SECONDS * embeddings * pictures + STEP_SECONDS * embeddings * steps * min(labels, BATCH)
    models = "both models" if len(others) == 1 else f"all {len(others) + 1} models"
    about = "Up to about" if labels else "About"  # the training ends where it only loses
    line = f"{about} {duration_text(seconds)} for {pictures:,} {'picture' if pictures == 1 else 'pictures'}"
    return line, f"No picture is encoded: {models} have {crops:,} embeddings of each in the store"
