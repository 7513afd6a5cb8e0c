"""One model fitted to what it is to learn: labelled images, or images with captions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import contextmanager
from typing import TYPE_CHECKING, Generic, TypeVar

import torch
from torch import nn

from .graph import NodeAttention

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from .settings import FusionSettings

BATCH = 128
WEIGHT_DECAY = 0.05
WARM_UP = 20
ITERATIONS = 30
"""Maximum number of L-BFGS iterations."""
AT_ONCE = 256
"""Items whose loss is computed together while a few parameters are fitted."""
SHARES_ALONE = -1
"""The number of steps that stands for a model of which only the encoders' shares were learnt."""

Model = TypeVar("Model", bound=nn.Module)
Weights = TypeVar("Weights")


class Task(ABC, Generic[Model, Weights]):
    """What a model is fitted to: n items, and what a good answer for them is.

    Attributes:
        settings: of the fusion
        device: on which models are trained
        learning_rate: of the steps of AdamW, after :data:`WARM_UP` steps
        averaging: share of the former average in the average of the weights over the steps, which is what is learnt; 0
            takes the last weights
    """

    learning_rate = 4e-3
    averaging = 0.0

    def __init__(self, settings: FusionSettings) -> None:
        self.settings = settings
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

    @abstractmethod
    def make_graph(self, rows: Tensor) -> Model:
        """Returns a model that has learnt nothing, which standardises features by those of some items."""

    @abstractmethod
    def weights(self, graph: Model) -> Weights:
        """Returns a copy of a model's weights."""

    @abstractmethod
    def smooth(self, graph: Model) -> list[list[Tensor]]:
        """Returns the encoders' shares, then these with all else that needs no graph; empty if nothing is anchored."""

    @abstractmethod
    def losses(self, graph: Model, rows: Tensor) -> Tensor:
        """Returns ``[b]`` what each item of a batch adds to the loss in training."""

    @abstractmethod
    def check(self, graph: Model, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Returns ``[h]`` the log loss of each of some items, and ``[h]`` how far it was answered right, 0 to 1."""


class Fit(Generic[Model, Weights]):
    """The training of a model: the encoders' shares, then features and bias, then the graph.

    Attributes:
        weights: number of steps to the weights after it
        losses: number of steps to the ``[h]`` log loss of each held-out item
        hits: likewise, how far it was answered right
    """

    def __init__(
        self,
        task: Task[Model, Weights],
        rows: NDArray[np.integer],
        *,
        held_out: NDArray[np.integer] | None = None,
        until: int | None = None,
    ) -> None:
        self.weights: dict[int, Weights] = {}
        self.losses: dict[int, NDArray[np.float64]] = {}
        self.hits: dict[int, NDArray[np.float64]] = {}
        self._task = task
        self._rows = torch.from_numpy(rows)
        self._held_out = None if held_out is None else torch.from_numpy(held_out)
        self._settings = task.settings
        self._until = max(task.settings.steps) if until is None else until
        self._graph = task.make_graph(self._rows).to(task.device)

    def steps(self) -> Iterator[int]:
        """Trains; yields the number of steps done."""
        for at, parameters in enumerate(self._task.smooth(self._graph), SHARES_ALONE):
            if at <= self._until:
                self._fit_smoothly(parameters)
                self._note(at)
                yield max(at, 0)
        if self._until > 0:
            yield from self._descend()

    def _fit_smoothly(self, parameters: list[Tensor]) -> None:
        """Fits a few parameters by L-BFGS to all items at once, with a ridge of 1/n around where they start."""
        self._graph.eval()
        start = [parameter.detach().clone() for parameter in parameters]
        optimizer = torch.optim.LBFGS(parameters, max_iter=ITERATIONS, line_search_fn="strong_wolfe")
        graphs = [part for part in self._graph.modules() if isinstance(part, NodeAttention) and part.graph]
        for part in graphs:
            part.graph = False  # its share is 0 until it has learnt

        def closure() -> float:
            optimizer.zero_grad()
            ridge = torch.stack([((p - s) ** 2).sum() for p, s in zip(parameters, start, strict=True)]).sum()
            ridge = ridge / len(self._rows)
            torch.autograd.backward(ridge)
            total = ridge.item()
            for rows in torch.split(self._rows, AT_ONCE):
                loss = self._task.losses(self._graph, rows).sum() / len(self._rows)
                torch.autograd.backward(loss)
                total += loss.item()
            return total

        optimizer.step(closure)  # type: ignore[no-untyped-call]
        for part in graphs:
            part.graph = True

    def _descend(self) -> Iterator[int]:
        """Trains all parameters by AdamW on batches."""
        graph = self._graph
        optimizer = torch.optim.AdamW(graph.parameters(), lr=self._task.learning_rate, weight_decay=WEIGHT_DECAY)
        batches = self._batches()
        average = Average(graph, self._task.averaging)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self._settings.seed)  # of the dropout
            for step in range(1, self._until + 1):
                for group in optimizer.param_groups:
                    group["lr"] = self._task.learning_rate * min(1.0, step / WARM_UP)
                graph.train()
                loss = self._task.losses(graph, next(batches)).mean()
                optimizer.zero_grad()
                torch.autograd.backward(loss)
                optimizer.step()
                average.add(graph, step)
                if step in self._settings.steps:
                    with average.held_by(graph):
                        self._note(step)
                    if self._has_passed_its_best():
                        return
                if step % 20 == 0 or step == self._until:
                    yield step

    def _has_passed_its_best(self) -> bool:
        """Returns whether the graph loses more and more on the held-out images, and more than the best note before."""
        means = {step: float(losses.mean()) for step, losses in self.losses.items() if len(losses)}
        of_graph = [mean for step, mean in means.items() if step > 0]
        return len(of_graph) > 1 and of_graph[-1] > of_graph[-2] > min(means.values())

    def _batches(self) -> Iterator[Tensor]:
        """Yields rows without end, each as often as the others."""
        generator = torch.Generator().manual_seed(self._settings.seed)
        while True:
            order = self._rows[torch.randperm(len(self._rows), generator=generator)]
            batches = torch.split(order, BATCH)
            yield from batches if len(batches) == 1 or len(batches[-1]) == BATCH else batches[:-1]

    def _note(self, step: int) -> None:
        """Keeps the weights, and what they say to the items that are held out."""
        self.weights[step] = self._task.weights(self._graph)
        if self._held_out is None:
            return
        self._graph.eval()
        with torch.no_grad():
            losses, hits = self._task.check(self._graph, self._held_out)
        self.losses[step] = losses.double().cpu().numpy()
        self.hits[step] = hits.double().cpu().numpy()


class Average:
    """The average of a model's weights over its steps, in which earlier ones count less and less.

    A single step follows the noise of its batch; the average answers better, as if the learning rate had been lowered
    in the end, which it would have to be for each number of steps anew.

    Args:
        graph: the model before its first step
        share: of the former average in the average after a step, in [0, 1); 0 is the last weights
    """

    def __init__(self, graph: nn.Module, share: float) -> None:
        self._share = share
        self._weights = {name: value.detach().clone() for name, value in graph.state_dict().items()}

    def add(self, graph: nn.Module, step: int) -> None:
        """Adds the weights after a step."""
        share = min(self._share, step / (step + 9))  # the first steps have few before them
        for name, value in graph.state_dict().items():
            self._weights[name].lerp_(value.detach(), 1 - share)

    @contextmanager
    def held_by(self, graph: nn.Module) -> Iterator[None]:
        """Gives a model the average while the context is open."""
        own = {name: value.detach().clone() for name, value in graph.state_dict().items()}
        graph.load_state_dict(self._weights)
        yield
        graph.load_state_dict(own)
