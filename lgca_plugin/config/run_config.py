"""The config in a run's record: everything needed to repeat the run, to and from JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from ..errors import ConfigError, shown
from ..method.core.methods import Method
from .checks import check_budget
from .regions import DEFAULT_BUDGET, RegionConfig, RegionPlan
from .shares import ClassShares
from .voters import Voter

DEFAULT_SHOWN_CHAINS = 3
CONFIG_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class FusedRunConfig:
    """A run that is fused with the one whose config holds this: its key, which may be gone since, and its config."""

    run_key: str
    config: RunConfig

    def to_json(self) -> dict[str, Any]:
        """Returns it as a JSON-ready dict for :meth:`from_json`."""
        return {"run_key": self.run_key, "config": self.config.to_json()}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> FusedRunConfig:
        """Returns it from a dict that :meth:`to_json` returned."""
        config = RunConfig.from_json(document["config"])
        if config.fusion is not None:
            raise ConfigError("this run's config can't be read: it fuses a run that is fused itself")
        return cls(run_key=str(document["run_key"]), config=config)


@dataclass(frozen=True, kw_only=True)
class FusionConfig:
    """The fusion of a run with runs of other encoders; their class descriptions are in the run's results.

    Attributes:
        run_key: key of the run whose samples, crops and single methods the fused run has
        others: the other runs
        weights: token of the file of the weights
        digest: hash of that file
        classes: the classes that the weights were made for
        ground_truth: label field that they were trained on; None if they are untrained
        labels: number of labels that they were trained on
    """

    run_key: str
    others: tuple[FusedRunConfig, ...]
    weights: str
    digest: str
    classes: tuple[str, ...]
    ground_truth: str | None
    labels: int

    def to_json(self) -> dict[str, Any]:
        """Returns the fusion as a JSON-ready dict for :meth:`from_json`."""
        own = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**own, "others": [other.to_json() for other in self.others], "classes": list(self.classes)}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> FusionConfig:
        """Returns the fusion of a dict that :meth:`to_json` returned."""
        others = tuple(FusedRunConfig.from_json(other) for other in document["others"])
        made = cls(**{**document, "others": others, "classes": tuple(document["classes"])})
        texts = (made.run_key, made.weights, made.digest, *made.classes)
        sound = all(isinstance(text, str) for text in texts) and made.weights.isalnum()  # it names a file
        if not sound or not others or not isinstance(made.labels, int) or not isinstance(made.ground_truth, str | None):
            raise ConfigError("this run's config can't be read: its fusion is damaged")
        return made


SEVERAL_KINDS = "several"
"""Kind of device of a run whose images were embedded on any."""


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Everything needed to repeat a run on the same images; the class descriptions are in the run's results.

    ``encoder_fingerprint`` is a hash of weights and preprocessing, ``ground_truth`` the label field from which the
    classes were taken, or with which they are compared, if any. With ``logits`` the labels have those of all classes.
    At most ``shown_chains`` chains of an image are written as boxes. Crops are resized ``"exact"`` or ``"fast"``.
    ``device_kind`` is that of the device whose half precision or fast crops the embeddings are of; ``"several"`` for a
    job, whose workers may have any; None where every device computes the same, and in runs of earlier releases.
    ``fusion`` is that of a fused run, None for all others. ``shares`` is how often each class occurs, by which labels
    are moved; None moves none. ``voters`` are the fields whose predictions are the methods of a run that encodes
    nothing, None for all others; such a run has no encoder, descriptions and regions.
    """

    classes: tuple[str, ...]
    descriptions_hash: str
    methods: tuple[Method, ...]
    regions: RegionConfig
    encoder: str
    encoder_fingerprint: str
    precision: str
    ground_truth: str | None = None
    logits: bool = False
    shown_chains: int = DEFAULT_SHOWN_CHAINS
    resize: str = "exact"
    budget: str = DEFAULT_BUDGET
    fusion: FusionConfig | None = None
    shares: ClassShares | None = None
    voters: tuple[Voter, ...] | None = None
    device_kind: str | None = None

    @classmethod
    def of_voters(cls, voters: tuple[Voter, ...], classes: tuple[str, ...], ground_truth: str) -> RunConfig:
        """Returns the config of a run whose methods are predictions that are on the samples already."""
        return cls(
            classes=classes,
            descriptions_hash="",
            methods=tuple(Method(name=voter.name, regions="none", global_weight=1.0) for voter in voters),
            regions=RegionConfig(),
            encoder="",
            encoder_fingerprint="",
            precision="",
            ground_truth=ground_truth,
            voters=voters,
        )

    @property
    def has_one_encoder(self) -> bool:
        """Whether the run has encoded images itself: it is neither fused nor of predictions that were there already."""
        return self.fusion is None and self.voters is None

    @property
    def region_plan(self) -> RegionPlan:
        """The regions that the run's methods need."""
        return RegionPlan.of(self.methods, self.regions, self.budget)

    def to_json(self) -> dict[str, Any]:
        """Returns the config as a JSON-ready dict for :meth:`from_json`."""
        document = asdict(replace(self, fusion=None, shares=None, voters=None))
        unused = () if self.device_kind is not None else ("device_kind",)
        for name in ("fusion", "shares", "voters", *unused):
            del document[name]  # so that the records of all other runs stay as they are
        for name in ("fusion", "shares"):
            if (own := getattr(self, name)) is not None:
                document[name] = own.to_json()
        if self.voters is not None:
            document["voters"] = [voter.to_json() for voter in self.voters]
        document["classes"] = list(self.classes)
        document["methods"] = [method.to_json() for method in self.methods]
        return {"version": CONFIG_VERSION, **document}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> RunConfig:
        """Returns the config of a dict that :meth:`to_json` returned.

        Raises:
            ConfigError: if its version or keys are others, or a value is none that a run can have
        """
        try:
            return cls._parsed(dict(document))
        except ConfigError:
            raise
        except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
            raise ConfigError(f"this run's config can't be read: {error}") from error

    @classmethod
    def _parsed(cls, values: dict[str, Any]) -> RunConfig:
        version = values.pop("version", None)
        if version != CONFIG_VERSION:
            raise ConfigError(f"this run's config is of version {shown(version)}; this release reads {CONFIG_VERSION}")
        for name, only in (("resize", "exact"), ("budget", DEFAULT_BUDGET)):  # runs of earlier releases had no other
            values.setdefault(name, only)
        values["fusion"] = FusionConfig.from_json(values["fusion"]) if values.get("fusion") is not None else None
        values["shares"] = ClassShares.from_json(values["shares"]) if values.get("shares") is not None else None
        values.setdefault("device_kind", None)
        if not isinstance(values["device_kind"], str | None):
            raise ConfigError("this run's kind of device can't be read")
        voters = values.get("voters")
        values["voters"] = None if voters is None else tuple(Voter.from_json(voter) for voter in voters)
        expected = {field.name for field in fields(cls)}
        if set(values) != expected:
            raise ConfigError(f"this run's config has other keys than expected: {sorted(set(values) ^ expected)}")
        check_budget(values["budget"])
        values["classes"] = tuple(values["classes"])
        kinds: dict[Any, type] = {"str": str, "bool": bool, "int": int}
        wrong = [
            field.name for field in fields(cls) if not isinstance(values[field.name], kinds.get(field.type, object))
        ]
        if wrong or not all(isinstance(name, str) for name in values["classes"]):
            raise ConfigError(f"this run's {(wrong or ['classes'])[0]} can't be read")
        if unknown := set(values["regions"]) - {field.name for field in fields(RegionConfig)}:
            raise ConfigError(f"this run's regions have a setting {sorted(unknown)[0]!r}, unknown to this release")
        values["regions"] = RegionConfig(**values["regions"])
        values["methods"] = tuple(Method.from_json(method) for method in values["methods"])
        if values["fusion"] is None and any(method.weighting == "learned" for method in values["methods"]):
            raise ConfigError("this run's config can't be read: it has a learnt method, but no fusion")
        return cls(**values)

    def differences(self, other: RunConfig) -> list[str]:
        """Returns the names of the settings in which two configs differ; an unknown kind of device is as any other."""
        names = [field.name for field in fields(self) if getattr(self, field.name) != getattr(other, field.name)]
        known = not {self.device_kind, other.device_kind} & {None, SEVERAL_KINDS}
        return names if known else [name for name in names if name != "device_kind"]
