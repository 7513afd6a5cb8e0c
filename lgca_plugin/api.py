"""The entry points for notebooks: ``classify`` and ``load_run``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .config import DEFAULT_BUDGET, DEFAULT_METHODS, DEFAULT_RUN_KEY, DEFAULT_SHOWN_CHAINS
from .progress import drive
from .run import Run
from .runs import registry
from .workflows.classify.classify import iter_classify
from .workflows.classify.request import ClassifyOptions, check_classify

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import fiftyone as fo

    from .config import RegionConfig
    from .encoder.base import Encoder
    from .method.core.methods import Method
    from .progress import Progress


def classify(
    samples: Any,
    classes: Sequence[str] | None = None,
    descriptions: Mapping[str, Sequence[str]] | str | Path | None = None,
    methods: Sequence[str | Method] = DEFAULT_METHODS,
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
) -> Run:
    """Classifies image samples zero-shot with several methods and writes the results onto them.

    For run key K every sample gets ``K_METHOD`` (Classification with label, confidence and margin) for each method,
    ``K_regions`` (Detections: the most important chains of regions) and, if it failed, ``K_error``, the reason. A
    second call with the same run key and settings continues the run with the samples that are missing.

    Args:
        samples: a FiftyOne dataset or view of images; of a grouped one, the active slice
        classes: the candidate classes, at least two; None takes the distinct labels of ``ground_truth``
        descriptions: class name to texts that describe it, or the path of a JSON file with such an object; None takes a
            template ensemble
        methods: names from :data:`lgca_plugin.METHODS`, or presets of your own
        run_key: names the fields and the run's record; an identifier
        encoder: an encoder, an open_clip model name, ``"demo"``, or None for ``ViT-B-32-quickgelu`` with OpenAI's
            weights
        regions: which regions are encoded; None takes the published settings
        ground_truth: Classification field with the given labels, if any
        batch_size: crops in one call of the encoder; None chooses by device
        device: device of a model that is loaded here; None takes the best one
        precision: floating-point type of a model that is loaded here: ``"auto"``, ``"fp32"``, ``"bf16"``, ``"fp16"``
        overwrite: replace an existing run under the key, with its fields
        skip_failures: continue after an image that can't be used; False stops there and raises
        progress: True or None shows a progress bar as FiftyOne is configured to, False none; or a function of
            :class:`Progress`
        logits: write all class scores onto the labels
        shown_chains: number of chains of each image that are written as boxes
        store_regions: store the embeddings of all regions (float32: 178 KB an image at the defaults with a ViT-B), for
            evidence, for rescoring with other weights, and for later runs on the same images, which then encode
            nothing; one vector an image and method, and the findings a triage needs, are always stored
        budget: ``"full"``: all crops of every image; ``"adaptive"``: an image stops as soon as the remaining crops
            would change the label of any method except the controls with a probability of at most 0.5%;
            :mod:`lgca_plugin.method.core.stopping` derives the rule

    Returns:
        the run, with counts and timings in ``run.summary()``

    Raises:
        ConfigError: if an argument is wrong, before anything is written
        ModelUnavailableError: if the model can't be loaded, before anything is written
        ImageError: if an image can't be used and ``skip_failures`` is False
        LgcaError: if the run is deleted or started again elsewhere while this call writes to it
    """
    options = ClassifyOptions(
        samples=samples,
        classes=classes,
        descriptions=descriptions,
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
    )
    return Run.of(drive(iter_classify(check_classify(options), encoder=encoder), progress, unit="images"))


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
