"""The methods of a run for notebooks; its data is in :class:`lgca_plugin.runs.record.RunRecord`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .descriptions.style import AUTO, style_in_code
from .errors import ConfigError
from .progress import drive
from .run_tuning import RunTuning
from .runs.record import RunRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from .encoder.base import Encoder
    from .method.comparison.evaluation import Evaluation
    from .method.core.methods import Method
    from .method.explain.evidence import Evidence
    from .progress import Progress
    from .workflows.decisions.queue import Triage


class Run(RunTuning):
    """A zero-shot run on a dataset, returned by :func:`lgca_plugin.classify` and :func:`lgca_plugin.load_run`."""

    @classmethod
    def of(cls, record: RunRecord) -> Run:
        """Returns the run of a record, or the record itself if it is a run."""
        if isinstance(record, cls):
            return record
        return cls(record.dataset, record.key, record.config, record.results, token=record.token)

    def rescore(
        self,
        classes: Sequence[str] | None = None,
        descriptions: Mapping[str, Sequence[str]] | str | Path | None = None,
        *,
        methods: Sequence[str | Method] | None = None,
        image_scale: float | None = None,
        text_scale: float | None = None,
        global_weight: float | None = None,
        step_weights: Sequence[float] | None = None,
        decisiveness: float | None = None,
        temperature: float | None = None,
        steps: int | None = None,
        run_key: str | None = None,
        overwrite: bool = False,
        logits: bool | None = None,
        shown_chains: int | None = None,
        encoder: Encoder | Sequence[Encoder] | None = None,
        progress: bool | Callable[[Progress], object] | None = None,
        description_style: str = AUTO,
        shares: str | Mapping[str, float] | None = None,
        display_names: Mapping[str, str] | None = None,
        prompt: str | None = None,
    ) -> Run:
        """Predicts the same images again with other classes, descriptions or settings, without encoding an image.

        The result is that of :func:`lgca_plugin.classify` with these settings; under an adaptive budget, on the crops
        that each image has, which were enough for the labels before the change. Arguments that are None keep the run's
        settings. Predictions take seconds for 100,000 images if only classes, descriptions or their weights change;
        boxes (``shown_chains``), decisive methods and other weights of regions take milliseconds an image.

        Args:
            classes: the candidate classes; current and earlier classes of the run keep their texts
            descriptions: class name to texts, or the path of a JSON file with such an object; classes without texts get
                the template ensemble, with ``{}`` all of them
            methods: names or presets that need no more regions than the run has encoded
            image_scale: softmax scale of salience, as an exponent
            text_scale: softmax scale over descriptions, as an exponent
            global_weight: LGCA's lambda_g, weight of the whole image in methods with chains
            step_weights: LGCA's lambda_t, weight of each step in methods with chains
            decisiveness: decisiveness of the decisive methods
            temperature: temperature of the decisive methods: above 1, regions pass for less decided
            steps: LGCA's T, at most as many as were encoded
            run_key: key of a new run; None rescores this one in place
            overwrite: replace an existing run under ``run_key``
            logits: write the logits of all classes onto the labels, of which the confidence is the softmax
            shown_chains: number of chains of each image that are written as boxes; 0 for none
            encoder: this run's encoder, or a list of those of a fused run; None loads them where texts are new
            progress: as in :func:`lgca_plugin.classify`
            description_style: how ``descriptions`` are read, as in :func:`lgca_plugin.classify`
            shares: as in :func:`lgca_plugin.classify`; ``"none"`` drops those of the run
            display_names: as in :func:`lgca_plugin.classify`; an empty dict drops those of the run. Texts that were put
                into sentences with a class keep the name that they were put together with
            prompt: as in :func:`lgca_plugin.classify`

        Returns:
            the new run, which replaces this one if ``run_key`` is None

        Raises:
            ConfigError: if a change is wrong or needs regions that were not encoded, or the embeddings are no longer
                stored; before anything is written
            ModelUnavailableError: if texts are new and the model can't be loaded; before anything is written
            StoreError: if the store can't be read
        """
        from .workflows.rescore.request import Changes, check_rescore
        from .workflows.rescore.rescore import iter_rescore

        changes = Changes(
            classes=classes,
            descriptions=descriptions,
            description_style=style_in_code(description_style, descriptions),
            display_names=display_names,
            prompt=prompt,
            methods=methods,
            image_scale=image_scale,
            text_scale=text_scale,
            global_weight=global_weight,
            step_weights=step_weights,
            decisiveness=decisiveness,
            temperature=temperature,
            steps=steps,
            logits=logits,
            shown_chains=shown_chains,
            shares=shares,
        )
        request = check_rescore(self, changes, run_key=run_key, overwrite=overwrite)
        return Run.of(drive(iter_rescore(request, encoder=encoder), progress, unit="images"))

    def triage(
        self,
        ground_truth: str | None = None,
        *,
        methods: Sequence[str] | None = None,
        corrected_field: str | None = None,
        none_below: float | None = None,
        encoder: Encoder | Sequence[Encoder] | None = None,
        progress: bool | Callable[[Progress], object] | None = None,
    ) -> Triage:
        """Finds the samples to review: methods that disagree, misleading crops, and labels that are likely wrong.

        No image is encoded. Writes ``K_case``, ``K_misleading``, ``K_stability``, ``K_label_quality`` and, on suspected
        label errors, ``K_suggestion``, and saves views of them. Earlier decisions stay.

        Args:
            ground_truth: label field to check; None takes the run's. If that is None, cases
                come from the disagreement of methods alone
            methods: names of the three compared methods, one on the whole image, one on crops and one on crops that
                grow; None takes ``clip``, ``wca`` and ``lgca``, or the run's methods in their place
            corrected_field: field for corrected labels; None takes the name of the label field with ``_corrected``
            none_below: probability below which a judged picture shows none of the classes, such as 0.5: then
                ``K_best_answer`` is written, the likeliest class of all methods together, or ``"none of these"``. None
                takes that of the last triage, at first 0, which writes no such field
            encoder: as in :meth:`rescore`; of a fused run, one or several of its encoders
            progress: as in :meth:`rescore`

        Returns:
            the triage: its report, the queue of suspected label errors, and the decisions

        Raises:
            ConfigError: if an argument is wrong, the run lacks one of the three predictions, or no sample has them all;
                before anything is written
            ModelUnavailableError: if texts are not stored and the model can't be loaded
            StoreError: if the store can't be read
        """
        from .workflows.triage.plan import check_triage
        from .workflows.triage.triage import iter_triage

        request = check_triage(
            self,
            ground_truth=ground_truth,
            methods=methods,
            corrected_field=corrected_field,
            none_below=none_below,
        )
        return drive(iter_triage(request, encoder=encoder), progress, unit="samples")

    def none_of_these(self) -> Any:
        """Returns a view of the samples that probably show none of the classes, the least likely first.

        Raises:
            ConfigError: if the last triage was made without ``none_below``
        """
        from .fiftyone_io.boxes.companion import as_patches
        from .fiftyone_io.fields import BEST_ANSWER, NONE_OF_THESE, triage_field

        best = triage_field(self.key, BEST_ANSWER)
        if not self.last_triage().report.get("none_of_these"):
            lacks = f"run {self.key!r} was triaged without such answers"
            app = f"{lacks}: triage it again with a share below which none of the classes is likely enough"
            raise ConfigError(f"{lacks}: triage it with none_below=0.5", app=app)
        none = self.dataset.match({f"{best}.label": NONE_OF_THESE})
        return as_patches(none.sort_by(f"{best}.confidence"))

    def last_triage(self) -> Triage:
        """Returns the last triage, with its queue and its decisions.

        Raises:
            ConfigError: if the run has not been triaged
        """
        from .runs.record import check_loaded
        from .runs.registry import reload_record
        from .workflows.decisions.queue import Triage

        check_loaded(self)
        reload_record(self)
        return Triage.of(self)

    def evaluate(
        self,
        ground_truth: str | None = None,
        *,
        methods: Sequence[str] | None = None,
        confidence: float = 0.95,
        progress: bool | Callable[[Progress], object] | None = None,
    ) -> Evaluation:
        """Evaluates the methods against labels, all on the same samples, and compares them with each other.

        Each method gets a FiftyOne evaluation (eval key ``K_<method>_eval``), which the App's Model Evaluation panel
        opens; they are deleted with the run. ``print(evaluation)`` prints the table.

        Args:
            ground_truth: label field, the given or the corrected ones; None takes the run's
            methods: names of the run's methods; None takes all
            confidence: confidence of the intervals, in (0, 1)
            progress: as in :meth:`rescore`

        Returns:
            accuracies with Wilson intervals, and for each pair McNemar's exact test and an interval of the difference

        Raises:
            ConfigError: if an argument is wrong or no sample has both a label and all predictions; before anything is
                written
        """
        from .workflows.evaluate import check_evaluate, iter_evaluate

        request = check_evaluate(self, ground_truth=ground_truth, methods=methods, confidence=confidence)
        return drive(iter_evaluate(request), progress, unit="samples")

    def last_evaluation(self) -> Evaluation | None:
        """Returns the last evaluation; None without one."""
        from .runs.record import check_loaded
        from .runs.registry import reload_record
        from .workflows.evaluate import last_evaluation

        check_loaded(self)
        reload_record(self)
        return last_evaluation(self)

    def evidence(self, sample_id: str, *, encoder: Encoder | Sequence[Encoder] | None = None) -> Evidence:
        """Returns the evidence about a sample: votes and contributions of its regions, misleading crops, stability.

        It is computed from the stored embeddings in milliseconds, without the image, and without a model if all texts
        are stored. Class vectors are cached for the next sample.

        Args:
            sample_id: the sample's id
            encoder: as in :meth:`rescore`; of a fused run, one or several of its encoders

        Returns:
            votes, weights, contributions, flips, misleading crops and the misleading-crop case, stability, and
            ``without(regions)`` for what if

        Raises:
            ConfigError: if the sample has no result in the run, or its region embeddings are not stored
            ModelUnavailableError: if texts are not stored and the model can't be loaded
            StoreError: if the store can't be read
        """
        from .workflows.evidence.evidence import evidence

        return evidence(self, sample_id, encoder=encoder)

    def cancel(self, *, by: str | None = None) -> None:
        """Cancels the call that is at work on the run, in this process or in another one; what it has done is kept.

        It stops within seconds, after the images that are being encoded. The same call later goes on with the run.

        Args:
            by: who cancels it; None takes the login name

        Raises:
            ConfigError: if no call is at work on the run
        """
        from .runs.state import cancel_run

        cancel_run(self.dataset, self.key, by=by)

    def delete(self) -> None:
        """Deletes the run: its record, fields, decisions and their tags, and the embeddings that no other run uses.

        Raises:
            ConfigError: if one of the fields is read-only, before anything is deleted
            LgcaError: if the run was deleted, rescored or started again since it was loaded; nothing is deleted then
            StoreError: if its embeddings can't be deleted; the rest is deleted nevertheless
        """
        from .runs.delete import delete_run
        from .runs.record import check_loaded

        check_loaded(self)
        delete_run(self.dataset, self.key)
