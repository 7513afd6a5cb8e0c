"""One model fitted to labelled images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from .graph import AnchoredGraph, make_graph
from .tensors import class_tensors
from .weights import FusionWeights

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from ..method.fusion.nodes import EncoderClasses
    from .labelled import Labelled
    from .settings import FusionSettings

BATCH = 128
LEARNING_RATE = 2e-3
WEIGHT_DECAY = 0.05
WARM_UP = 20
ITERATIONS = 30
"""Maximum number of L-BFGS iterations."""
AT_ONCE = 256
"""Images in a forward pass that needs no batches."""
POWER = 0.7
"""q of the generalized cross-entropy."""
SHARES_ALONE = -1
"""The number of steps that stands for a model of which only the encoders' shares were learnt."""


class Fit:
    """The training of a model: the encoders' shares, then features and bias, then the graph.

    Attributes:
        weights: number of steps to the weights after it
        losses: number of steps to the ``[h]`` log loss of each held-out image
        hits: likewise, whether it was answered with its label
    """

    def __init__(
        self,
        data: Labelled,
        rows: NDArray[np.integer],
        classes: Sequence[EncoderClasses],
        settings: FusionSettings,
        *,
        held_out: NDArray[np.integer] | None = None,
        until: int | None = None,
    ) -> None:
        self.weights: dict[int, FusionWeights] = {}
        self.losses: dict[int, NDArray[np.float64]] = {}
        self.hits: dict[int, NDArray[np.bool_]] = {}
        self._data = data
        self._rows = torch.from_numpy(rows)
        self._held_out = None if held_out is None else torch.from_numpy(held_out)
        self._settings = settings
        self._until = max(settings.steps) if until is None else until
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._classes = [class_tensors(own, self._device) for own in classes]
        self._dims = [own.vectors.shape[1] for own in classes]
        self._n_classes = len(classes[0].vectors)
        self._graph = make_graph(self._dims, self._n_classes, settings)
        self._graph.attention.mean, self._graph.attention.deviation = data.moments(self._rows)
        self._graph.to(self._device)

    def steps(self) -> Iterator[int]:
        """Trains; yields the number of steps done."""
        if isinstance(self._graph, AnchoredGraph):
            self._fit_smoothly([self._graph.scales])
            self._note(SHARES_ALONE)
            yield 0
            if self._until > SHARES_ALONE:
                self._fit_smoothly([self._graph.scales, self._graph.bias, *self._graph.attention.weights])
                self._note(0)
                yield 1
        if self._until > 0:
            yield from self._descend()

    def _fit_smoothly(self, parameters: list[Tensor]) -> None:
        """Fits a few parameters by L-BFGS to all images at once, with a ridge of 1/n around where they start."""
        graph, start = self._graph.eval(), [parameter.detach().clone() for parameter in parameters]
        optimizer = torch.optim.LBFGS(parameters, max_iter=ITERATIONS, line_search_fn="strong_wolfe")
        had_graph, graph.attention.graph = graph.attention.graph, False  # its share is 0 until it has learnt

        def closure() -> float:
            optimizer.zero_grad()
            ridge = torch.stack([((p - s) ** 2).sum() for p, s in zip(parameters, start, strict=True)]).sum()
            ridge = ridge / len(self._rows)
            torch.autograd.backward(ridge)
            total = ridge.item()
            for rows in torch.split(self._rows, AT_ONCE):
                loss = self._loss(rows, reduction="sum") / len(self._rows)
                torch.autograd.backward(loss)
                total += loss.item()
            return total

        optimizer.step(closure)  # type: ignore[no-untyped-call]
        graph.attention.graph = had_graph

    def _descend(self) -> Iterator[int]:
        """Trains all parameters by AdamW on batches."""
        graph = self._graph
        optimizer = torch.optim.AdamW(graph.parameters(), lr=LEARNING_RATE, weight_decay=WEIGHT_DECAY)
        batches = self._batches()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self._settings.seed)  # of the dropout
            for step in range(1, self._until + 1):
                for group in optimizer.param_groups:
                    group["lr"] = LEARNING_RATE * min(1.0, step / WARM_UP)
                graph.train()
                loss = self._loss(next(batches), reduction="mean")
                optimizer.zero_grad()
                torch.autograd.backward(loss)
                optimizer.step()
                if step in self._settings.steps:
                    self._note(step)
                if step % 20 == 0 or step == self._until:
                    yield step

    def _batches(self) -> Iterator[Tensor]:
        """Yields rows without end, each as often as the others."""
        generator = torch.Generator().manual_seed(self._settings.seed)
        while True:
            order = self._rows[torch.randperm(len(self._rows), generator=generator)]
            batches = torch.split(order, BATCH)
            yield from batches if len(batches) == 1 or len(batches[-1]) == BATCH else batches[:-1]

    def _loss(self, rows: Tensor, *, reduction: str) -> Tensor:
        nodes, labels = self._data.batch(rows, self._device)
        logits = self._graph(nodes, self._classes).logits
        if self._settings.loss == "cross_entropy":
            return functional.cross_entropy(logits, labels, reduction=reduction)
        probability = torch.softmax(logits, dim=1).gather(1, labels[:, None])[:, 0].clamp_min(1e-12)
        losses = (1 - probability**POWER) / POWER
        return losses.sum() if reduction == "sum" else losses.mean()

    def _note(self, step: int) -> None:
        """Keeps the weights, and what they say to the images that are held out."""
        self.weights[step] = FusionWeights.of(self._graph, self._dims, self._n_classes, self._settings)
        if self._held_out is None:
            return
        losses, hits = [], []
        self._graph.eval()
        with torch.no_grad():
            for rows in torch.split(self._held_out, AT_ONCE):
                nodes, labels = self._data.batch(rows, self._device)
                logits = self._graph(nodes, self._classes).logits
                losses.append(functional.cross_entropy(logits, labels, reduction="none").cpu())
                hits.append((logits.argmax(dim=1) == labels).cpu())
        self.losses[step] = torch.cat(losses).double().numpy() if losses else np.zeros(0)
        self.hits[step] = torch.cat(hits).numpy() if hits else np.zeros(0, bool)
