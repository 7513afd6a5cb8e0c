"""The choice of a run's settings on labelled samples, for notebooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .method.tuning.selection import FOLDS, REPEATS
from .progress import drive
from .run_search import RunSearch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .encoder.base import Encoder
    from .method.core.methods import Method
    from .method.tuning.sweep import SweepReport
    from .progress import Progress


class RunTuning(RunSearch):
    """A run that compares settings of its methods."""

    def sweep(
        self,
        ground_truth: str | None = None,
        *,
        methods: Sequence[str | Method] | None = None,
        settings: Sequence[Method] | None = None,
        folds: int = FOLDS,
        repeats: int = REPEATS,
        seed: int = 0,
        max_samples: int | None = None,
        encoder: Encoder | None = None,
        progress: bool | Callable[[Progress], object] | None = None,
    ) -> SweepReport:
        """Compares many settings on the labelled samples, without encoding an image.

        Settings are chosen by accuracy, and evaluated by nested cross-validation on samples that did not choose them.
        ``report.table()`` prints the outcome, ``report.chosen`` are presets for ``run.rescore(methods=...)``.

        Args:
            ground_truth: Label field; None takes the run's. If that is None, the report holds
                only the effective number of regions under every setting, which needs no labels
            methods: names or presets whose settings are varied; None takes the run's methods without the controls
            settings: presets to compare instead; those of one name are compared, the first of them is the default
            folds: number of folds, at least 3
            repeats: number of random splits of the samples
            seed: seed of the splits, and of the choice of samples
            max_samples: maximum number of samples, chosen at random
            encoder: as in :meth:`lgca_plugin.Run.rescore`
            progress: as in :meth:`lgca_plugin.Run.rescore`

        Returns:
            the report; samples without a label, with one that is no class of the run, or without stored regions are
            left out and counted in ``report.excluded``

        Raises:
            ConfigError: if an argument is wrong, too few samples are labelled, or embeddings are not stored
            StoreError: if the store can't be read
        """
        from .workflows.rescore.sweep import iter_sweep

        steps = iter_sweep(
            self,
            ground_truth=ground_truth,
            methods=methods,
            settings=settings,
            folds=folds,
            repeats=repeats,
            seed=seed,
            max_samples=max_samples,
            encoder=encoder,
        )
        return drive(steps, progress, unit="samples")
