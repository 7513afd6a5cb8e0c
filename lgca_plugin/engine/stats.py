"""Counts and times of the engine."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace


@dataclass
class EngineStats:
    """Counts and times of the engine.

    Attributes:
        images: images with a result
        recalled: images among them that were neither decoded nor encoded, because all embeddings were known
        failed: images without a result
        guessed_depth: images whose values have fewer bits than their type, see :data:`~.pixels.DEPTHS`
        encodes: encodes of whole images and regions
        batches: batches given to the encoder
        batch_capacity: maximum number of encodes in those batches
        encoder_seconds: time inside the encoder, summed over threads; of batches that a device works through one after
            the other, the time from the end of one to the end of the next
        crop_seconds: time spent cropping and resizing, summed over threads
        wait_seconds: time during which nothing could be encoded, because no image was decoded yet
        batch_size: current batch size; smaller than the one passed after memory ran out
        levels: number of images that stopped at each budget level of the plan; a full budget has one level
    """

    images: int = 0
    recalled: int = 0
    failed: int = 0
    guessed_depth: int = 0
    encodes: int = 0
    batches: int = 0
    batch_capacity: int = 0
    encoder_seconds: float = 0.0
    crop_seconds: float = 0.0
    wait_seconds: float = 0.0
    batch_size: int = 0
    levels: dict[int, int] = field(default_factory=dict)

    @property
    def batch_fill(self) -> float:
        """Share of the batches' capacity that was used, in [0, 1]."""
        return self.encodes / self.batch_capacity if self.batch_capacity else 0.0

    def since(self, before: EngineStats) -> EngineStats:
        """Returns what was counted since an earlier state, a copy of which is passed."""
        past = asdict(before)
        own = {name: value - past[name] for name, value in asdict(self).items() if name not in ("levels", "batch_size")}
        counted = {level: count - before.levels.get(level, 0) for level, count in self.levels.items()}
        return EngineStats(**own, batch_size=self.batch_size, levels=counted)

    def copy(self) -> EngineStats:
        """Returns the state as it is now."""
        return replace(self, levels=dict(self.levels))

    def add(self, other: EngineStats) -> None:
        """Adds what another engine has counted; of batch sizes the larger one counts."""
        for one in fields(self):
            if one.name not in ("levels", "batch_size"):
                setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))
        self.batch_size = max(self.batch_size, other.batch_size)
        for level, count in other.levels.items():
            self.levels[level] = self.levels.get(level, 0) + count
