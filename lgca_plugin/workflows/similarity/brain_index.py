"""Registers the stored image vectors of a run with FiftyOne: for searches, and for the Embeddings panel."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...encoder.own_encoder import as_encoder
from ...errors import ConfigError, ModelUnavailableError, shown
from ...fiftyone_io.brain_runs import RUN, brain_keys
from ...fiftyone_io.database import reload_if_changed
from ...runs.fused.opening import own_encoder
from ...runs.record import check_loaded
from .vectors import image_vectors_of_run, vector_method

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...encoder.base import Encoder
    from ...method.core.methods import Method
    from ...runs.record import RunRecord

ZOO_MODEL = "lgca-text-search"
PROJECTIONS = ("umap", "tsne", "pca")


def register_similarity(
    run: RunRecord,
    brain_key: str,
    method: str | None = None,
    *,
    backend: str | None = None,
    encoder: Encoder | Sequence[Encoder] | None = None,
) -> Any:
    """Returns the similarity index of :meth:`lgca_plugin.Run.similarity`, registered under a brain key."""
    import fiftyone.brain as fob

    chosen = vector_method(run, method, by_class=False)
    found = image_vectors_of_run(run, method, by_class=False)
    text_side = _text_side(run, encoder)
    _make_room(run, brain_key, "similarity")
    return fob.compute_similarity(
        run.dataset,
        embeddings=dict(zip(found.sample_ids, found.vectors, strict=True)),
        brain_key=brain_key,
        backend=backend,
        metric="cosine",
        **text_side,
        **_marks(run, chosen),
    )


def register_visualization(
    run: RunRecord, brain_key: str, method: str | None = None, *, projection: str | None = None, seed: int = 51
) -> Any:
    """Returns the visualization of :meth:`lgca_plugin.Run.visualize`, registered under a brain key."""
    import fiftyone.brain as fob

    if projection is None:
        projection = "umap" if find_spec("umap") else "tsne"
    if projection not in PROJECTIONS:
        raise ConfigError(f"projection must be one of {', '.join(PROJECTIONS)}, got {shown(projection)}")
    if projection == "umap" and find_spec("umap") is None:
        raise ConfigError("projection 'umap' needs the package umap-learn: install it, or take 'tsne' or 'pca'")
    chosen = vector_method(run, method, by_class=True)
    found = image_vectors_of_run(run, method)
    if len(found.sample_ids) < 3:
        raise ConfigError(
            f"run {run.key!r} has {len(found.sample_ids)} images with stored vectors, too few to be drawn"
        )
    _make_room(run, brain_key, "visualization")
    return fob.compute_visualization(
        run.dataset,
        embeddings=dict(zip(found.sample_ids, found.vectors, strict=True)),
        brain_key=brain_key,
        method=projection,
        seed=seed,
        **_marks(run, chosen),
    )


def _marks(run: RunRecord, method: Method | None) -> dict[str, Any]:
    """Returns the settings by which what is registered is known as a run's own."""
    return {RUN: run.key, "lgca_method": None if method is None else method.name}


def _make_room(run: RunRecord, brain_key: str, kind: str) -> None:
    """Checks a brain key, and deletes what of this kind the run itself has under it."""
    check_loaded(run)
    if not isinstance(brain_key, str) or not brain_key.isidentifier():
        raise ConfigError(f"brain_key must be a name of letters, digits and _, got {shown(brain_key)}")
    dataset = run.dataset
    reload_if_changed(dataset)
    if brain_key in brain_keys(dataset, run.key, kind):
        dataset.delete_brain_run(brain_key)
    if brain_key in dataset.list_brain_runs():
        raise ConfigError(
            f"brain key {brain_key!r} belongs to something else on this dataset: choose another, or delete that with "
            f"dataset.delete_brain_run({brain_key!r})",
            app=f"brain key {brain_key!r} belongs to something else on this dataset: choose another",
        )


def _text_side(run: RunRecord, encoder: Encoder | Sequence[Encoder] | None) -> dict[str, Any]:
    """Returns the arguments with which an index reads the texts of a search; none if its model can't be loaded by name.

    The model of an encoder of one's own answers in this session alone.
    """
    from .text_model import TextModel

    config, source = run.config, run.results.get("encoder_source")
    if source:
        write_zoo_source()
        arguments = {"source": list(source), "precision": config.precision, "fingerprint": config.encoder_fingerprint}
        return {"model": ZOO_MODEL, "model_kwargs": arguments}
    own = own_encoder(encoder, config)
    return {} if own is None else {"model": TextModel(encoder=as_encoder(own))}


def write_zoo_source() -> None:
    """Writes what FiftyOne needs to load a run's encoder in any process into its folder of models.

    Raises:
        ModelUnavailableError: if that folder can't be written
    """
    import fiftyone as fo

    own = Path(__file__).with_name("zoo_source")
    folder = Path(fo.config.model_zoo_dir) / ZOO_MODEL
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("__init__.py", "manifest.json"):
            content = (own / name).read_bytes()
            target = folder / name
            if not target.is_file() or target.read_bytes() != content:
                target.write_bytes(content)
    except OSError as error:
        raise ModelUnavailableError(
            f"FiftyOne's folder of models, {folder.parent}, can't be written ({error.strerror}), and a search by text "
            "needs it: change its rights, or name another in FIFTYONE_MODEL_ZOO_DIR"
        ) from error
