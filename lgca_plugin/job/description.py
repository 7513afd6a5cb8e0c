"""``Job``: what all processes of a job have to know, in ``job.json``, and the class vectors beside it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..config import RunConfig, check_count
from ..errors import ConfigError, LgcaError, shown
from ..version import __version__
from .folder import as_folder

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from ..encoder.base import TextEncoder
    from ..method.core.methods import Method
    from .folder import JobFolder

VERSION = 1
JOB_FILE, TEXTS_FILE = "job.json", "texts.safetensors"
WORK, PARTS, SHARDS = "work", "parts", "shards"
"""Folders inside a job's folder: the rows to do, the results, and the embeddings of regions."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """A classification that is computed in parts, without a database.

    Attributes:
        id: identifies the job
        release: release of this package that has prepared it
        run_key: key of the run
        token: token of the run, see :class:`lgca_plugin.runs.record.RunRecord`
        dataset: name of the dataset, for people
        dataset_id: id of the dataset
        database: id of the database
        config: the run's settings
        encoder_source: name, and pretrained tag or path, under which ``load_encoder`` finds the model
        logit_scale: factor on similarities before the softmax
        store_fingerprint: key of the encoder's embeddings in the store
        vector_keys: keys of the image vectors of a sample
        findings_key: key of the findings for a triage in the store; None if the methods have no triage
        offsets: method to what known shares of the classes add to each class's logit
        rows: number of images
        rows_per_part: number of images of each part but the last
        store_regions: whether the embeddings of regions are kept, in a shard for each part
        batch_size: crops in one call of the encoder; None chooses by device
    """

    id: str
    release: str = __version__
    run_key: str
    token: str
    dataset: str
    dataset_id: str
    database: str
    config: RunConfig
    encoder_source: tuple[str, str | None]
    logit_scale: float
    store_fingerprint: str
    vector_keys: tuple[str, ...]
    findings_key: str | None
    offsets: Mapping[str, Sequence[float]]
    rows: int
    rows_per_part: int
    store_regions: bool
    batch_size: int | None = None

    @property
    def parts(self) -> int:
        """Number of parts, which are numbered from 0 on."""
        return -(-self.rows // self.rows_per_part)

    def rows_of(self, part: int) -> int:
        """Returns the number of images of a part."""
        return min(self.rows_per_part, self.rows - part * self.rows_per_part)

    def to_json(self) -> dict[str, Any]:
        """Returns the job as a JSON-ready dict for :meth:`from_json`."""
        own = asdict(replace(self, config=None))  # type: ignore[arg-type]  # it has a form of its own
        return {"version": VERSION, **own, "config": self.config.to_json()}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Job:
        """Returns the job of a dict that :meth:`to_json` returned.

        Raises:
            ConfigError: if another release has written it, or it is damaged
        """
        values = dict(document)
        version = values.pop("version", None)
        if version != VERSION:
            raise ConfigError(f"this job is of version {shown(version)}; this release reads {VERSION}")
        try:
            name, pretrained = values["encoder_source"]
            made = {
                **values,
                "config": RunConfig.from_json(values["config"]),
                "encoder_source": (name, pretrained),
                "vector_keys": tuple(values["vector_keys"]),
                "offsets": dict(values["offsets"]),
                "rows": check_count("rows", values["rows"], at_least=1),
                "rows_per_part": check_count("rows_per_part", values["rows_per_part"], at_least=1),
            }
            return cls(**made)
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(f"this job's {JOB_FILE} can't be read: {error}") from error


def read_job(folder: str | os.PathLike[str] | JobFolder) -> Job:
    """Returns the job in a folder.

    Raises:
        ConfigError: if there is none, or it can't be read
    """
    opened = as_folder(folder)
    if not opened.exists(JOB_FILE):
        raise ConfigError(f"{opened} holds no job: lgca.prepare_job makes one")
    try:
        document = json.loads(opened.read(JOB_FILE))
    except ValueError as error:
        raise ConfigError(f"{JOB_FILE} of the job in {opened} is damaged") from error
    if not isinstance(document, dict):
        raise ConfigError(f"{JOB_FILE} of the job in {opened} is damaged")
    return Job.from_json(document)


def write_job(folder: JobFolder, job: Job) -> None:
    """Writes a job's settings into its folder: last, since the folder is a job from then on."""
    folder.write(JOB_FILE, json.dumps(job.to_json(), indent=1).encode())


def has_results(folder: JobFolder) -> bool:
    """Returns whether workers have written into a folder, whether or not it still holds the job."""
    return any(folder.names(name) for name in (PARTS, SHARDS))


@dataclass(frozen=True)
class JobTexts:
    """The class vectors of a job, embedded once, when it was prepared.

    Attributes:
        classes: the classes
        digest: hash of their texts, see :attr:`lgca_plugin.descriptions.class_texts.ClassTexts.digest`
        vectors: method to its ``[C, dim]`` class vectors; methods with equal ones share an array
    """

    classes: tuple[str, ...]
    digest: str
    vectors: Mapping[str, NDArray[np.float32]]

    def by_method(self, encoder: TextEncoder, methods: Sequence[Method]) -> dict[str, NDArray[np.float32]]:  # noqa: ARG002 (nothing is embedded)
        """Returns method to its class vectors."""
        return {method.name: self.vectors[method.name] for method in methods}

    @cached_property
    def _distinct(self) -> list[NDArray[np.float32]]:
        return list({id(own): own for own in self.vectors.values()}.values())

    def write(self, folder: JobFolder) -> None:
        """Writes the vectors into a job's folder, each array once."""
        from safetensors.numpy import save

        arrays = {str(number): np.ascontiguousarray(own) for number, own in enumerate(self._distinct)}
        number_of = {id(own): str(number) for number, own in enumerate(self._distinct)}
        of_method = {name: number_of[id(own)] for name, own in self.vectors.items()}
        metadata = {"methods": json.dumps(of_method), "digest": self.digest}
        folder.write(TEXTS_FILE, save(arrays, metadata=metadata))

    @classmethod
    def read(cls, folder: JobFolder, config: RunConfig) -> JobTexts:
        """Returns the class vectors in a job's folder.

        Raises:
            LgcaError: if they are not those of the job, or damaged
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load

        data = folder.read(TEXTS_FILE)
        try:
            header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
            arrays = load(data)
            vectors = {name: arrays[number] for name, number in json.loads(header["methods"]).items()}
        except (KeyError, ValueError, SafetensorError) as error:
            raise LgcaError(f"{TEXTS_FILE} of the job in {folder} is damaged: prepare the job anew") from error
        if header.get("digest") != config.descriptions_hash:
            raise LgcaError(f"{TEXTS_FILE} of the job in {folder} is of other texts than the job: prepare it anew")
        return cls(config.classes, config.descriptions_hash, vectors)
