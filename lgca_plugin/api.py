"""The entry points for notebooks: ``find_wrong_labels``, ``classify``, ``fuse`` and ``load_run``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .config import DEFAULT_BUDGET, DEFAULT_RUN_KEY, DEFAULT_SHOWN_CHAINS
from .descriptions.style import AUTO, style_in_code
from .progress import drive
from .run import Run
from .runs import registry
from .workflows.classify.request import ClassifyOptions, check_classify
from .workflows.find.find import iter_find_wrong_labels
from .workflows.find.request import FindOptions, check_find
from .workflows.fuse.fuse import iter_fuse
from .workflows.fuse.request import DEFAULT_FUSED_KEY, FuseOptions, check_fuse
from .workflows.rescore.classified import iter_classify_with_shares

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import fiftyone as fo

    from .config import RegionConfig
    from .encoder.base import Encoder
    from .method.core.methods import Method
    from .progress import Progress
    from .runs.record import RunRecord
    from .workflows.decisions.queue import Triage
    from .workflows.fuse.captions import Captions


def classify(
    samples: Any,
    classes: Sequence[str] | None = None,
    descriptions: Mapping[str, Sequence[str]] | str | Path | None = None,
    methods: Sequence[str | Method] | None = None,
    run_key: str = DEFAULT_RUN_KEY,
    encoder: Encoder | str | None = None,
    regions: RegionConfig | None = None,
    ground_truth: str | None = None,
    batch_size: int | None = None,
    device: str | None = None,
    precision: str = "auto",
    overwrite: bool = False,
    skip_failures: bool = True,
    progress: bool | Callable[[Progress], object] | None = None,
    *,
    logits: bool = False,
    shown_chains: int = DEFAULT_SHOWN_CHAINS,
    store_regions: bool = True,
    budget: str = DEFAULT_BUDGET,
    description_style: str = AUTO,
    shares: str | Mapping[str, float] | None = None,
    display_names: Mapping[str, str] | None = None,
    prompt: str | None = None,
) -> Run:
    """Classifies image samples zero-shot with several methods and writes the results onto them.

    For run key K every sample gets ``K_METHOD`` (Classification with label, confidence and margin) for each method,
    ``K_regions`` (Detections: the most important chains of regions) and, if it failed, ``K_error``, the reason. A
    second call with the same run key and settings continues the run with the samples that are missing.

    Args:
        samples: a FiftyOne dataset or view of images; of a grouped one, the active slice
        classes: the candidate classes, at least two; None takes the dataset's own list of classes, where it has one,
            else the distinct labels of ``ground_truth``
        descriptions: class name to texts that describe it, or the path of a JSON file with such an object; None takes a
            template ensemble. ``description_style`` says how they are read
        methods: names from :data:`lgca_plugin.METHODS`, or presets of your own; None takes ``clip``, ``wca``, ``lgca``
            and ``wca_d``, or ``lgca_d`` in its place if ``scale_min`` of the regions is below 0.5. A run that is
            continued keeps the default methods of the release that it was begun with
        run_key: names the fields and the run's record; an identifier
        encoder: an encoder, an open_clip model name, ``"demo"``, or None for ``ViT-B-32-quickgelu`` with OpenAI's
            weights
        regions: which regions are encoded; None takes the published settings
        ground_truth: label field, of Classifications or texts, with the given labels, if any
        batch_size: crops in one call of the encoder; None chooses by device
        device: device of a model that is loaded here; None takes the best one. Several get a process each, which loads
            the model by its name: ``"cuda:0,1"``, or ``"all"`` for all CUDA GPUs of this machine
        precision: floating-point type of a model that is loaded here: ``"auto"``, ``"fp32"``, ``"bf16"``, ``"fp16"``
        overwrite: replace an existing run under the key, with its fields
        skip_failures: continue after an image that can't be used; False stops there and raises
        progress: True or None shows a progress bar as FiftyOne is configured to, False none; or a function of
            :class:`Progress`
        logits: write the logits of all classes onto the labels, of which the confidence is the softmax
        shown_chains: number of chains of each image that are written as boxes
        store_regions: store the embeddings of all regions (float32: 178 KB an image at the defaults with a ViT-B), for
            evidence, for rescoring with other weights, and for later runs on the same images, which then encode
            nothing; one vector an image and method, and the findings a triage needs, are always stored
        budget: ``"full"``: all crops of every image; ``"adaptive"``: an image stops as soon as the remaining crops
            would change the label of any method except the controls with a probability of at most 0.5%
            (:mod:`lgca_plugin.method.core.stopping` derives the rule); ``"economical"``: the same with a third of the
            crops and of the chains, those that overlap least (:func:`lgca_plugin.method.core.boxes.spread_order`)
        description_style: ``"sentences"``: all texts are used as they are; ``"attributes"``: those that do not name
            their class are put into a sentence with it ("a black nose": "blue jay, which has a black nose.");
            ``"auto"``: so are the texts of a file that neither name their class nor end like a sentence, and a dict is
            used as it is. ``run.descriptions`` are the texts that were used
        shares: how often each class occurs, where that is known: labels are moved towards such shares by one offset a
            class, see :mod:`lgca_plugin.method.labels.class_shares`. A label field, in which the classes are counted; a
            dict of every class and its share or count; ``"balanced"`` for equal shares; None moves no label
        display_names: class to the name that the model reads, where the classes are codes or numbered:
            ``{"n01531178": "goldfinch"}``; labels keep the names of the classes. Descriptions may be named by either
        prompt: text with ``{}`` where the class's name goes, which ``clip`` compares images with; None for
            ``"a photo of a {}."``

    Returns:
        the run, with counts and timings in ``run.summary()``

    Raises:
        ConfigError: if an argument is wrong, before anything is written
        ModelUnavailableError: if the model can't be loaded, before anything is written
        RunHeldError: if another call is at work on the run, before anything is written
        ImageError: if an image can't be used and ``skip_failures`` is False
        RunCancelledError: if the run is cancelled
        DatabaseAwayError: if the database does not answer for 10 minutes
        LgcaError: if the run is deleted or started again elsewhere while this call writes to it, or none of its first
            100 images can be used
    """
    options = ClassifyOptions(
        samples=samples,
        classes=classes,
        descriptions=descriptions,
        description_style=style_in_code(description_style, descriptions),
        display_names=display_names,
        prompt=prompt,
        methods=methods,
        run_key=run_key,
        regions=regions,
        ground_truth=ground_truth,
        batch_size=batch_size,
        device=device,
        precision=precision,
        overwrite=overwrite,
        skip_failures=skip_failures,
        logits=logits,
        shown_chains=shown_chains,
        store_regions=store_regions,
        budget=budget,
        shares=shares,
    )
    return Run.of(drive(iter_classify_with_shares(check_classify(options), encoder=encoder), progress, unit="images"))


def find_wrong_labels(
    dataset: Any,
    ground_truth: str | None = None,
    *,
    encoder: Encoder | str | None = None,
    classes: Sequence[str] | str | None = None,
    descriptions: Mapping[str, Sequence[str]] | str | Path | None = None,
    run_key: str | None = None,
    budget: str | None = None,
    methods: Sequence[str | Method] | None = None,
    regions: RegionConfig | None = None,
    batch_size: int | None = None,
    device: str | None = None,
    precision: str = "auto",
    progress: bool | Callable[[Progress], object] | None = None,
    description_style: str = AUTO,
    shares: str | Mapping[str, float] | None = None,
    display_names: Mapping[str, str] | None = None,
    prompt: str | None = None,
    none_below: float | None = None,
) -> Triage:
    """Finds the labels of a dataset that are likely wrong: classifies its images zero-shot, then triages the labels.

    A second call goes on where the last one on this field with this encoder was: it encodes new images and images whose
    file has changed, scores all of them again if the labels have become other classes, and judges all labels anew.
    Decisions stay, and so do settings that are None. Given labels are never changed.

    Args:
        dataset: a FiftyOne dataset, or a view of the images that are to be classified
        ground_truth: label field, of Classifications or texts, to check; None takes the only one, or the one with a
            usual name such as ``ground_truth`` or ``label``
        encoder: as in :func:`classify`; None takes the demo's own model on the demo dataset
        classes: the candidate classes; None takes those that are set on the dataset, else all labels of the field;
            ``"labels"`` takes these also if the last call named others
        descriptions: as in :func:`classify`; None takes those that are saved on the dataset, else a template ensemble
        run_key: key of the run, which may exist; None takes the run of the last call, else ``"zeroshot"``, or with a
            number if that is taken
        budget: as in :func:`classify`; None takes ``"adaptive"``
        methods: as in :func:`classify`; one on the whole image, one on crops and one on crops that grow are needed
        regions: as in :func:`classify`
        batch_size: as in :func:`classify`
        device: as in :func:`classify`
        precision: as in :func:`classify`
        progress: as in :func:`classify`
        description_style: as in :func:`classify`
        shares: as in :func:`classify`; ``"none"`` drops those of the run. Counted in the field that is checked, its
            labels touch the answers by which they are judged, all labels of a class alike
        display_names: as in :func:`classify`; an empty dict drops those of the run
        prompt: as in :func:`classify`
        none_below: probability below which a judged picture shows none of the classes, as in :meth:`Run.triage`; None
            takes that of the last call, 0 for no such answers

    Returns:
        the triage: ``triage.suspects()`` is the queue, the most likely wrong label first, ``triage.decide()`` decides,
        ``triage.run`` is the :class:`Run`, and ``print(triage)`` says what was found

    Raises:
        ConfigError: if an argument is wrong or there are no labels to check, before anything is written
        ModelUnavailableError: if the model can't be loaded, before anything is written
        LgcaError: if no image can be used, or the run is deleted or started again elsewhere; and the others as in
            :func:`classify`
    """
    options = FindOptions(
        samples=dataset,
        ground_truth=ground_truth,
        encoder=encoder,
        classes=classes,
        descriptions=descriptions,
        description_style=style_in_code(description_style, descriptions),
        display_names=display_names,
        prompt=prompt,
        run_key=run_key,
        methods=methods,
        regions=regions,
        budget=budget,
        batch_size=batch_size,
        device=device,
        precision=precision,
        shares=shares,
        none_below=none_below,
    )
    found = drive(iter_find_wrong_labels(check_find(options)), progress, unit="images")
    return Run.of(found.run).last_triage()


def fuse(
    runs: Sequence[RunRecord],
    ground_truth: str | None = None,
    *,
    captions: Captions | None = None,
    run_key: str = DEFAULT_FUSED_KEY,
    folds: int = 5,
    anchored: bool = True,
    fused_part: bool | None = None,
    loss: str = "cross_entropy",
    seed: int = 0,
    weights: RunRecord | None = None,
    overwrite: bool = False,
    encoder: Encoder | Sequence[Encoder] | None = None,
    progress: bool | Callable[[Progress], object] | None = None,
) -> Run:
    """Fuses runs of different encoders on the same images into a run with one more method, without encoding an image.

    The new run has the samples, boxes and methods of the first run, and ``K_hada``: the stored regions of all encoders
    are weighted by a graph over them, see :mod:`lgca_plugin.fusion`. Without labels that is the sum of the encoders.
    With labels it is learnt how much each encoder and region counts, as far as cross-validation says that it helps;
    every sample that was learnt from is answered by weights that have not seen it, and ``K_hada.fold`` says which.

    Args:
        runs: two or more runs of one dataset, of different encoders, with the same classes and crops. Samples that one
            of them lacks are left out; at least half of the first run's are needed
        ground_truth: label field with labels to learn from, a few or all; None learns nothing
        captions: field with a caption of each image, or a list of captions; or a dict of sample ids and captions. The
            search in the fused run, ``run.similarity()``, learns from them; its labels do not
        run_key: names the fields and the record of the new run
        folds: number of parts of the labels; each is answered by weights that were learnt from the others
        anchored: True keeps each encoder's vectors in its own space, which works from few labels; False is the method
            as published, learnt from nothing
        fused_part: whether one space of all encoders' vectors is learnt, too; None where cross-validation of at least
            1,000 labels says that it helps
        loss: ``"generalized"`` cross-entropy trusts single labels less, where many are wrong
        seed: seed of the parts and of the training
        weights: a fused run of the same encoders, of any dataset, whose weights are taken instead of learning: so new
            images get answers, after each run was continued on them
        overwrite: replace an existing run under ``run_key``
        encoder: those of the runs' encoders that you have loaded; they are needed only for texts that are not stored
        progress: as in :func:`classify`

    Returns:
        the run; ``run.summary()["fusion"]`` says what was learnt

    Raises:
        ConfigError: if an argument is wrong, the runs can't be fused, or embeddings are gone; nothing is written
        RunHeldError: if another call is at work on the new run, before anything is written
        StoreError: if the store can't be read or written
        LgcaError: if one of the runs is deleted or started again elsewhere meanwhile
    """
    options = FuseOptions(
        runs=runs,
        ground_truth=ground_truth,
        captions=captions,
        weights=weights,
        run_key=run_key,
        folds=folds,
        anchored=anchored,
        fused_part=fused_part,
        loss=loss,
        seed=seed,
        overwrite=overwrite,
    )
    return Run.of(drive(iter_fuse(check_fuse(options), encoder=encoder), progress, unit="steps"))


def load_run(dataset: fo.Dataset, run_key: str) -> Run:
    """Loads a run of a dataset.

    Args:
        dataset: the FiftyOne dataset
        run_key: the run's key

    Returns:
        the run

    Raises:
        RunNotFoundError: if the dataset has no such run
        ConfigError: if another release wrote the run's record and this one can't read it
    """
    return Run.of(registry.load_run(dataset, run_key))
