"""What shows a run outside the App: figures for notebooks, and the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .method.explain.film_strip import CHAINS
from .progress import drive
from .runs.record import RunRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    import plotly.graph_objects as go

    from .encoder.base import Encoder
    from .figures.page import Theme
    from .progress import Progress


class RunFigures(RunRecord):
    """A run that draws figures as Plotly documents, and writes a report."""

    def report(
        self,
        folder: str | Path,
        *,
        max_suspects: int = 200,
        max_cases: int = 12,
        overwrite: bool = False,
        progress: bool | Callable[[Progress], object] | None = None,
    ) -> Path:
        """Writes a report for people without the App: ``report.html``, one file that needs no network.

        It shows what was asked, the suspects with pictures and reasons, what was changed by whom, how often the methods
        agree and are right, and the crops that misled. Beside it lie ``suspects.csv`` with all suspects, and
        ``decisions.csv``; and for annotation tools what :meth:`lgca_plugin.Triage.export_suspects` writes:
        ``suspects.cvat.xml``, ``suspects.label-studio.json`` and ``label-studio-interface.xml``.

        Args:
            folder: the folder, which need not exist
            max_suspects: maximum number of suspects with a picture, some 20 KB each
            max_cases: maximum number of images with misleading crops, some 40 KB each
            overwrite: replace the files of an earlier report
            progress: as in :func:`lgca_plugin.classify`

        Returns:
            the page

        Raises:
            ConfigError: if an argument is wrong, or the files are there or can't be written
            LgcaError: if the run was deleted or started again
        """
        from .workflows.report.report import check_report, iter_report

        request = check_report(self, folder, max_suspects=max_suspects, max_cases=max_cases, overwrite=overwrite)
        return drive(iter_report(request), progress, unit="pictures")

    def film_strip(
        self,
        sample_id: str,
        a: str | None = None,
        b: str | None = None,
        *,
        method: str | None = None,
        chains: int = CHAINS,
        without: Iterable[int] = (),
        encoder: Encoder | Sequence[Encoder] | None = None,
        theme: Theme = "light",
        min_width: int = 640,
    ) -> go.Figure:
        """Draws the expansion of a sample's crops, step by step, as the papers do.

        Each row is a chain: the crop, the grown crops, and their boxes in the whole image; below each region its own
        vote, its weight, and its contribution to the margin of a over b. Misleading crops come first, then the chains
        with the largest contributions.

        Args:
            sample_id: the sample's id
            a: a class; None takes WCA's label if LGCA's differs, else LGCA's; of a fused run, HADA's
            b: its rival; None takes LGCA's label if WCA's differs, else the runner-up; of a fused run, HADA's runner-up
            method: the method whose weights and contributions are shown; None takes LGCA, or the run's method in its
                place, of a fused run HADA
            chains: number of chains
            without: regions to leave out, see :meth:`lgca_plugin.Evidence.without`
            encoder: as in :meth:`lgca_plugin.Run.rescore`
            theme: ``"light"``, ``"dark"``, or ``"app"`` for FiftyOne's panels
            min_width: width of the narrowest page that shows the figure, in pixels

        Returns:
            a Plotly figure of what :func:`lgca_plugin.figures.film_strip.film_strip` describes

        Raises:
            ConfigError: as :meth:`lgca_plugin.Run.evidence`, and if there is no such class, method or region, or the
                file can't be read
        """
        from .workflows.evidence.evidence import evidence
        from .workflows.evidence.film_strip import film_strip_of

        return film_strip_of(
            self,
            evidence(self, sample_id, encoder=encoder),
            method=method,
            a=a,
            b=b,
            chains=chains,
            out=without,
            theme=theme,
            min_width=min_width,
        )

    def plot_description_weights(
        self, name: str, *, encoder: Encoder | None = None, theme: Theme = "light", min_width: int = 700
    ) -> go.Figure:
        """Draws the weight of each description of a class; negligible ones are grey.

        Args:
            name: the class
            encoder: as in :meth:`lgca_plugin.Run.rescore`
            theme: ``"light"``, ``"dark"``, or ``"app"`` for FiftyOne's panels
            min_width: width of the narrowest page that shows the figure, in pixels

        Returns:
            a Plotly figure, see :func:`lgca_plugin.figures.description_weights.description_weights`

        Raises:
            ConfigError: if there is no such class, or the run's embeddings are not in the store
        """
        from .workflows.evidence.description_figures import plot_description_weights

        return plot_description_weights(self, name, encoder=encoder, theme=theme, min_width=min_width)

    def plot_description_votes(
        self,
        sample_id: str,
        a: str | None = None,
        b: str | None = None,
        *,
        methods: Sequence[str] | None = None,
        encoder: Encoder | None = None,
        theme: Theme = "light",
        min_width: int = 700,
    ) -> go.Figure:
        """Draws which of two classes each of their descriptions favours on a sample, for each method.

        Args:
            sample_id: the sample's id
            a: a class; None takes the label of the last method
            b: its rival; None takes the label of the first method if it differs, else the runner-up
            methods: names of the run's methods, a column each; None takes CLIP and LGCA
            encoder: as in :meth:`lgca_plugin.Run.rescore`
            theme: ``"light"``, ``"dark"``, or ``"app"`` for FiftyOne's panels
            min_width: width of the narrowest page that shows the figure, in pixels

        Returns:
            a Plotly figure, see :func:`lgca_plugin.figures.description_votes.description_votes`

        Raises:
            ConfigError: if a class or method is none of the run's, or the sample's vectors are not in the store
        """
        from .workflows.evidence.description_figures import plot_description_votes

        return plot_description_votes(
            self, sample_id, a, b, methods=methods, encoder=encoder, theme=theme, min_width=min_width
        )
