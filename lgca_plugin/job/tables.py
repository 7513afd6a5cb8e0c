"""The rows of a job as Arrow tables: the images to do, and what was found in them."""

from __future__ import annotations

import io
import json
from dataclasses import astuple, dataclass, fields
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import LgcaError
from ..images.boxed import BoxedImage
from ..images.files import RemoteFile
from ..images.header import ImageHeader
from ..method.explain.region_findings import SampleFindings
from ..prediction.displayed_regions import DisplayedRegion
from ..prediction.predictor import MethodPrediction
from .folder import need_arrow

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from ..engine.embeddings import EncodedImage
    from ..images.files import ImageSource
    from ..prediction.predictor import Prediction

METADATA = b"lgca"
"""Key of a part's counts in the metadata of its file."""


@dataclass(frozen=True)
class PartCounts:
    """What a process has counted while it did a part; sums over the parts are right, a single one need not be.

    Attributes:
        job: id of the job
        part: number of the part
        seconds: time between the ends of the part before it and of this one
        device: where the model ran
        engine: counts of :class:`lgca_plugin.engine.stats.EngineStats`
    """

    job: str
    part: int
    seconds: float
    device: str
    engine: Mapping[str, Any]


@dataclass(frozen=True)
class RowResult:
    """What was found in an image.

    Attributes:
        id: id of the sample
        reason: why there is no result; None if there is one
        content_hash: of the file, and of the box in it
        image_size_hw: height and width in pixels
        header: what the file's header says; None for a file that is not on this machine
        level: budget level at which the image stopped
        encodes: number of encodes
        n_encoded: number of encodes if no embedding is known
        methods: method to its prediction
        regions: the regions on display
        vectors: ``[V, dim]`` image vectors
        finding: the findings for a triage
    """

    id: str
    reason: str | None = None
    content_hash: str = ""
    image_size_hw: tuple[int, int] = (0, 0)
    header: ImageHeader | None = None
    level: int = 0
    encodes: int = 0
    n_encoded: int = 0
    methods: Mapping[str, MethodPrediction] | None = None
    regions: Sequence[DisplayedRegion] = ()
    vectors: NDArray[np.float32] | None = None
    finding: SampleFindings | None = None

    @classmethod
    def of(cls, image: EncodedImage[str], prediction: Prediction, header: ImageHeader | None) -> RowResult:
        """Returns the result of an image that was encoded and scored."""
        return cls(
            id=image.id,
            content_hash=image.content_hash,
            image_size_hw=image.image_size_hw,
            header=header,
            level=image.level,
            encodes=image.encodes,
            n_encoded=image.n_encoded,
            methods=prediction.methods,
            regions=prediction.regions,
            vectors=prediction.vectors,
            finding=prediction.finding,
        )


# ------------------------------------------------------------------------------------------------- images to do


def work_table(rows: Sequence[tuple[str, Any]]) -> bytes:
    """Returns pairs of a sample id, and a path or a box in a file, as the content of a Parquet file.

    Paths with a schema, such as ``s3://``, are opened by fsspec.
    """
    pa = need_arrow()
    boxed = [source if isinstance(source, BoxedImage) else None for _, source in rows]
    columns = {
        "id": pa.array([id_ for id_, _ in rows], pa.string()),
        "path": pa.array(
            [str(source) if one is None else str(one.file) for (_, source), one in zip(rows, boxed, strict=True)],
            pa.string(),
        ),
        "box": pa.array([None if one is None else list(one.box) for one in boxed], pa.list_(pa.float64())),
        "problem": pa.array([None if one is None else one.problem for one in boxed], pa.string()),
    }
    return _content(pa.table(columns))


def read_work(data: bytes) -> list[tuple[str, Any]]:
    """Returns the pairs that :func:`work_table` has written."""
    table = _table(data, "a file of rows")
    rows = zip(*(table.column(name).to_pylist() for name in ("id", "path", "box", "problem")), strict=True)
    return [(id_, _source(path, box, problem)) for id_, path, box, problem in rows]


def _source(path: str, box: list[float] | None, problem: str | None) -> Any:
    file: ImageSource = RemoteFile(path) if "://" in path else path
    return file if box is None else BoxedImage(file, (box[0], box[1], box[2], box[3]), problem)


# ------------------------------------------------------------------------------------------------------ results


@cache
def _regions_type() -> Any:
    pa = need_arrow()
    kinds = {"box": pa.list_(pa.float64()), "int": pa.int32(), "float": pa.float64(), "bool": pa.bool_()}
    named = {field.name: kinds.get(str(field.type), kinds["box"]) for field in fields(DisplayedRegion)}
    return pa.list_(pa.struct(list(named.items())))


@cache
def _method_type() -> Any:
    pa = need_arrow()
    return pa.struct(
        [
            ("label", pa.int32()),
            ("confidence", pa.float64()),
            ("margin", pa.float64()),
            ("before", pa.int32()),
            ("logits", pa.list_(pa.float32())),
        ]
    )


def results_table(results: Sequence[RowResult], methods: Sequence[str], *, logits: bool) -> Any:
    """Returns results as an Arrow table, one row an image; those of methods with logits if these are to be kept."""
    pa = need_arrow()

    def method(one: MethodPrediction) -> dict[str, Any]:
        kept = one.logits if logits else None
        values = {name: getattr(one, name) for name in ("label", "confidence", "margin", "before")}
        return {**values, "logits": kept if kept is None else np.asarray(kept, np.float32)}

    def column(values: list[Any], kind: Any) -> Any:
        return pa.array(values, kind)

    headers = [one.header for one in results]
    columns = {
        "id": column([one.id for one in results], pa.string()),
        "reason": column([one.reason for one in results], pa.string()),
        "content_hash": column([one.content_hash for one in results], pa.string()),
        "height": column([one.image_size_hw[0] for one in results], pa.int32()),
        "width": column([one.image_size_hw[1] for one in results], pa.int32()),
        "header": column(
            [None if header is None else header.to_json() for header in headers],
            pa.struct(
                [
                    ("size_bytes", pa.int64()),
                    ("mime_type", pa.string()),
                    ("width", pa.int32()),
                    ("height", pa.int32()),
                    ("num_channels", pa.int32()),
                ]
            ),
        ),
        "level": column([one.level for one in results], pa.int16()),
        "encodes": column([one.encodes for one in results], pa.int32()),
        "n_encoded": column([one.n_encoded for one in results], pa.int32()),
        **{
            f"method {name}": column(
                [None if one.methods is None else method(one.methods[name]) for one in results], _method_type()
            )
            for name in methods
        },
        "regions": column([[vars(region) for region in one.regions] for one in results], _regions_type()),
        "vectors": column(
            [None if one.vectors is None else one.vectors.ravel() for one in results], pa.list_(pa.float32())
        ),
        "finding": column(
            [None if one.finding is None else [float(value) for value in astuple(one.finding)] for one in results],
            pa.list_(pa.float64()),
        ),
    }
    return pa.table(columns)


def part_content(table: Any, counts: PartCounts) -> bytes:
    """Returns a table of results as the content of a Parquet file, with the counts of the part."""
    return _content(table.replace_schema_metadata({METADATA: json.dumps(vars(counts)).encode()}))


def read_part(data: bytes) -> tuple[Any, PartCounts]:
    """Returns what :func:`part_content` was given.

    Raises:
        LgcaError: if the file is damaged
    """
    table = _table(data, "a part")
    try:
        return table, PartCounts(**json.loads((table.schema.metadata or {})[METADATA]))
    except (KeyError, TypeError, ValueError) as error:
        raise LgcaError("a part of the job is damaged: delete its file, and do it again") from error


def results_of(table: Any, vectors: int) -> Iterator[RowResult]:
    """Yields the results in a table; ``vectors`` is the number of an image's vectors."""
    names = [name for name in table.column_names if name.startswith("method ")]
    kept = table.column("vectors").combine_chunks()
    starts = kept.offsets.to_numpy()
    flat = kept.values.to_numpy(zero_copy_only=False)
    for row, one in enumerate(table.drop_columns(["vectors"]).to_pylist()):
        if one["reason"] is not None:
            yield RowResult(id=one["id"], reason=one["reason"])
            continue
        finding = one["finding"]
        yield RowResult(
            id=one["id"],
            content_hash=one["content_hash"],
            image_size_hw=(one["height"], one["width"]),
            header=None if one["header"] is None else ImageHeader(**one["header"]),
            level=one["level"],
            encodes=one["encodes"],
            n_encoded=one["n_encoded"],
            methods={name.removeprefix("method "): _prediction(one[name]) for name in names},
            regions=[DisplayedRegion(**{**region, "box": tuple(region["box"])}) for region in one["regions"]],
            vectors=flat[starts[row] : starts[row + 1]].reshape(vectors, -1),
            finding=None if finding is None else _finding(finding),
        )


def _prediction(values: dict[str, Any]) -> MethodPrediction:
    logits = values["logits"]
    return MethodPrediction(**{**values, "logits": None if logits is None else np.array(logits, np.float32)})


def _finding(values: Sequence[float]) -> SampleFindings:
    crops, chains, size, proven, stability = values
    return SampleFindings(int(crops), int(chains), size, bool(proven), stability)


def _content(table: Any) -> bytes:
    import pyarrow.parquet as pq

    file = io.BytesIO()
    pq.write_table(table, file, compression="zstd")
    return file.getvalue()


def _table(data: bytes, what: str) -> Any:
    pa = need_arrow()
    import pyarrow.parquet as pq

    try:
        return pq.read_table(io.BytesIO(data))
    except (OSError, ValueError, pa.ArrowException) as error:
        raise LgcaError(f"{what} of the job is damaged: {error}") from error
