"""The methods: rules for the weights of regions, the table of the library's own, and choosing among a run's.

A method computes nothing here: :mod:`.scores` does. WCA: Li et al., ICML 2024, arXiv 2406.02915. LGCA: Cao et al.,
SoICT 2025, arXiv 2511.00419, as read from its published description.
"""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, get_args

from ...errors import ConfigError, shown
from .regions import RegionKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Weighting = Literal["salience", "decisive", "sized", "uniform", "learned"]
ClassVectors = Literal["label", "weighted", "mean"]
Role = Literal["standard", "ours", "control"]


@dataclass(frozen=True, kw_only=True)
class Method:
    """A rule for the weights of regions, and the class vectors that it is scored against.

    Attributes:
        name: names the field that the predictions are written to
        regions: ``"none"``; ``"crops"``, step 0 only; ``"chains"``, the crops that start a chain and all that they grow
            into; ``"all"``, both
        weighting: ``"salience"``, softmax inside each step of ``exp(image_scale) * <f_r, f0>``; ``"decisive"``, softmax
            over all steps together of ``-decisiveness * H_r / log C``; ``"sized"``, likewise times the region's side,
            over the regions and the whole image together (see :func:`.scores.region_weights`); ``"uniform"`` inside
            each step;
            ``"learned"``, by a fusion of several encoders, over the regions of all of them
        global_weight: the whole image's weight ``a_0``, next to regions that share a weight of 1
        class_vectors: ``"label"``, the label prompt; ``"weighted"``, descriptions weighted by their similarity to it;
            ``"mean"``, descriptions weighted equally
        image_scale: WCA's softmax scale over crops, as an exponent
        text_scale: WCA's softmax scale over descriptions, as an exponent
        decisiveness: how strongly undecided regions lose their weight
        temperature: divides the logits of which ``H_r`` is the entropy; above 1, regions pass for less decided
        step_weights: weight of each step, normalized over the steps that there are; None weighs them equally
    """

    name: str
    regions: RegionKind
    weighting: Weighting = "salience"
    global_weight: float = 0.0
    class_vectors: ClassVectors = "weighted"
    image_scale: float = 4.0
    text_scale: float = 2.0
    decisiveness: float = 10.0
    temperature: float = 1.0
    step_weights: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.isidentifier():
            raise ValueError(f"a method's name names a field and must be an identifier, got {shown(self.name)}")
        for field, allowed in (
            ("regions", RegionKind),
            ("weighting", Weighting),
            ("class_vectors", ClassVectors),
        ):
            if getattr(self, field) not in get_args(allowed):
                raise ValueError(f"{field} must be one of {get_args(allowed)}, got {shown(getattr(self, field))}")
        if not 0 <= self.global_weight <= sys.float_info.max or (self.regions == "none" and self.global_weight == 0):
            raise ValueError(
                f"global_weight must be at least 0, and above 0 without regions; got {shown(self.global_weight)}"
            )
        for field in ("image_scale", "text_scale"):
            if not -20 <= getattr(self, field) <= 20:
                raise ValueError(f"{field} is an exponent and must be in [-20, 20], got {shown(getattr(self, field))}")
        if not 0 <= self.decisiveness <= sys.float_info.max:
            raise ValueError(f"decisiveness must be at least 0, got {shown(self.decisiveness)}")
        if not 0 < self.temperature <= sys.float_info.max:
            raise ValueError(f"temperature must be above 0, got {shown(self.temperature)}")
        if self.weighting == "sized" and (self.regions != "all" or self.global_weight):
            raise ValueError(
                'the weighting "sized" is over all regions and the whole image: it needs regions "all" and a '
                f"global_weight of 0, got {shown(self.regions)} and {shown(self.global_weight)}"
            )
        if self.step_weights is not None and not (
            all(0 <= weight <= sys.float_info.max for weight in self.step_weights) and any(self.step_weights)
        ):
            raise ValueError(f"step_weights must be at least 0 and not all 0, got {shown(self.step_weights)}")

    @property
    def by_class(self) -> bool:
        """Whether the weights of regions depend on the classes."""
        return self.weighting in ("decisive", "sized")

    @property
    def one_softmax(self) -> bool:
        """Whether the weights of all regions are one softmax, and not one of each step."""
        return self.by_class or self.regions == "crops"

    @property
    def grows(self) -> bool:
        """Whether it looks at crops that grow."""
        return self.regions in ("chains", "all")

    def to_json(self) -> dict[str, Any]:
        """Returns the preset as a JSON-ready dict."""
        document = asdict(self)
        document["step_weights"] = None if self.step_weights is None else list(self.step_weights)
        if self.temperature == 1:
            del document["temperature"]  # so that the records of earlier releases stay as they are
        return document

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Method:
        """Reads what :meth:`to_json` wrote; raises ValueError for unknown keys."""
        unknown = set(document) - {field.name for field in fields(cls)}
        if unknown:
            raise ValueError(f"a method has no setting {sorted(unknown)[0]!r}")
        steps = document.get("step_weights")
        return cls(**{**document, "step_weights": None if steps is None else tuple(steps)})


@dataclass(frozen=True, kw_only=True)
class MethodEntry:
    """A method of the library, and what users read about it.

    Attributes:
        preset: the method
        title: its name in figures and sentences
        description: one line for forms
        role: ``"control"`` if it differs from a standard method in one respect and reuses its regions
    """

    preset: Method
    title: str
    description: str
    role: Role


METHOD_TABLE = {
    entry.preset.name: entry
    for entry in (
        MethodEntry(
            preset=Method(name="clip", regions="none", global_weight=1.0, class_vectors="label"),
            title="CLIP",
            description="the whole image against 'a photo of a ...'",
            role="standard",
        ),
        MethodEntry(
            preset=Method(name="wca", regions="crops"),
            title="WCA",
            description="crops, weighted by their agreement with the whole image",
            role="standard",
        ),
        MethodEntry(
            preset=Method(name="lgca", regions="chains"),
            title="LGCA",
            description="crops that grow, step by step, where they agree with the whole image",
            role="standard",
        ),
        MethodEntry(
            preset=Method(name="wca_d", regions="crops", weighting="decisive", temperature=1.5),
            title="decisive WCA",
            description="crops, weighted by how decided each of them is; ours",
            role="ours",
        ),
        MethodEntry(
            preset=Method(name="lgca_d", regions="all", weighting="sized", temperature=1.5),
            title="decisive LGCA",
            description="crops, what they grow into and the whole image, by how decided and large each is; ours",
            role="ours",
        ),
        MethodEntry(
            preset=Method(name="hada", regions="chains", weighting="learned"),
            title="HADA",
            description="the regions of several encoders, weighted by a graph over all of them; made by lgca.fuse",
            role="ours",
        ),
        MethodEntry(
            preset=Method(name="clip_d", regions="none", global_weight=1.0, class_vectors="mean"),
            title="clip_d",
            description="control: the whole image against the mean of the descriptions",
            role="control",
        ),
        MethodEntry(
            preset=Method(name="wca_global", regions="crops", global_weight=1.0),
            title="wca_global",
            description="control: WCA plus the whole image",
            role="control",
        ),
        MethodEntry(
            preset=Method(name="crops_mean", regions="crops", weighting="uniform"),
            title="crops_mean",
            description="control: all crops weighted equally",
            role="control",
        ),
    )
}
"""Name to method."""

METHODS: dict[str, Method] = {
    name: entry.preset for name, entry in METHOD_TABLE.items() if entry.preset.weighting != "learned"
}
"""The methods that a run of one encoder can have."""

CONTROLS = tuple(name for name, entry in METHOD_TABLE.items() if entry.role == "control")

COMPARED = {"none": "the whole image", "crops": "crops", "chains": "crops that grow", "all": "crops that grow"}
"""What the three compared methods look at, by ``Method.regions``, in their order."""

_PREFERRED = ("clip", "wca", "lgca")


def without_controls(names: Iterable[str]) -> list[str]:
    """Returns the names of methods that are no controls; all of them if there are only controls."""
    names = list(names)
    return [name for name in names if name not in CONTROLS] or names


def method_description(name: str) -> str | None:
    """Returns a method's line for forms; presets of a user's own have none."""
    return METHOD_TABLE[name].description if name in METHOD_TABLE else None


def method_title(name: str) -> str:
    """Returns a method's name for figures and sentences; presets of a user's own keep theirs."""
    return METHOD_TABLE[name].title if name in METHOD_TABLE else name


def learned_method(methods: Iterable[Method]) -> Method | None:
    """Returns the method of a fused run that is learned over several encoders; None of any other run."""
    return next((method for method in methods if method.weighting == "learned"), None)


def compared_methods(
    methods: Sequence[Method], names: Sequence[str] | None = None, *, run_key: str
) -> tuple[Method, Method, Method]:
    """Returns three methods, one of each kind: those named, else the published ones, else the first non-controls.

    A learned method is of no kind: it looks at the regions of several encoders.

    Args:
        methods: a run's presets
        names: the names of three of them; None for the default
        run_key: the run's key, for error messages

    Returns:
        the methods on the whole image, on crops, and on crops that grow

    Raises:
        ConfigError: if a kind is missing, or ``names`` does not hold one of each
    """
    if names is not None and not (hasattr(names, "__iter__") and all(isinstance(name, str) for name in names)):
        raise ConfigError(f"methods must be a list of names, got {shown(names)}")
    learned = learned_method(methods)
    if learned is not None and learned.name in (names or ()):
        raise ConfigError(
            f"methods must name three that look at one encoder's embeddings, and {learned.name!r} looks at those of "
            "several; it judges the labels without being named"
        )
    own = {method.name: method for method in methods if method is not learned}
    for name in names or ():
        if name not in own:
            raise ConfigError(f"there is no method {name!r} in run {run_key!r}; choose from {', '.join(own)}")
    found = []
    for looks_at in dict.fromkeys(COMPARED.values()):
        of_kind = [method for method in own.values() if COMPARED[method.regions] == looks_at]
        named = [method for method in of_kind if method.name in (names or ())]
        if names is not None and len(named) != 1:
            raise ConfigError(
                "methods must name three, one that looks at the whole image, one at crops and one at crops that grow; "
                f"got {shown(list(names))}, with {len(named)} that look at {looks_at}"
            )
        if not of_kind:
            raise ConfigError(
                f"run {run_key!r} has no method that looks at {looks_at}, and a triage compares three: "
                "classify or rescore with methods=('clip', 'wca', 'lgca') first"
            )
        of_kind.sort(key=lambda method: (method.name not in _PREFERRED, method.name in CONTROLS))
        found.append(named[0] if named else of_kind[0])
    whole, crops, chains = found
    return whole, crops, chains


def explained_method(methods: Sequence[Method]) -> Method | None:
    """Returns the method that displayed regions explain: LGCA, else the first with chains, else with crops.

    Never a learned one, whose answer lies in the regions of other encoders, too.
    """
    ranks = {"lgca": 0, "chains": 1, "all": 2, "crops": 3}
    explaining = [method for method in methods if method.regions in ranks and method.weighting != "learned"]
    return min(explaining, key=lambda method: ranks.get(method.name, ranks[method.regions]), default=None)
