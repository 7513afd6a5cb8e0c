"""The decisions of all methods for one image, and what its regions contribute to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .method_results import MethodResults

    FloatArray = NDArray[np.floating]


class DecidedImage:
    """What the methods say about one image. Classes are given by name or index.

    Attributes:
        verdicts: labels, scores and region weights of all methods
    """

    verdicts: MethodResults

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names."""
        return self.verdicts.scoring.classes

    @property
    def methods(self) -> tuple[str, ...]:
        """The names of the run's methods."""
        return tuple(self.verdicts.scoring.methods)

    @property
    def labels(self) -> dict[str, str | None]:
        """Method name to its label."""
        return self.verdicts.labels

    @property
    def own_labels(self) -> dict[str, str | None]:
        """Method name to its label from the image alone: another one only where known shares of the classes decided."""
        return self.verdicts.own_labels

    @property
    def scores(self) -> dict[str, FloatArray]:
        """Method name to ``[C]`` class scores, in [-1, 1]; of a learned method, a sum over several encoders.

        Where the shares of the classes are known, their offsets are added.
        """
        return self.verdicts.scores

    @property
    def confidences(self) -> dict[str, FloatArray]:
        """Method name to ``[C]`` class probabilities."""
        return self.verdicts.confidences

    @property
    def weights(self) -> dict[str, FloatArray]:
        """Method name to ``[n]`` region weights; they sum to 1, or are all 0 for a method without regions.

        Those of a learned method are the mean of the encoders' attention and sum to less: the rest is for the whole
        image, and for regions that other encoders alone have grown.
        """
        return self.verdicts.weights

    def margin(self, method: str, a: str | int | None = None, b: str | int | None = None) -> float:
        """Returns the score of class a minus that of class b.

        Args:
            method: the method's name
            a: a class; None takes the method's label
            b: a class; None takes the runner-up, or the label if a is another class

        Raises:
            ConfigError: if there is no such method or class
        """
        return self.verdicts.margin(method, a, b)

    def contributions(self, method: str, a: str | int | None = None, b: str | int | None = None) -> FloatArray:
        """Returns each region's share of the margin of class a over class b, ``[n]``; arguments: :meth:`margin`.

        ``contribution(r; a over b) = a_r <f_r, c(a) - c(b)> / norm``, of a learned method the sum over its encoders:
        with :meth:`global_contribution` they sum to :meth:`margin`.
        """
        return self.verdicts.contributions(method, a, b)

    def terms(self, method: str, a: str | int | None = None, b: str | int | None = None) -> dict[str, float]:
        """Returns the parts of the margin of class a over class b that no region has; arguments: :meth:`margin`.

        By name: ``"whole image"``, of methods that give it a weight, and ``"shares of the classes"``, where they are
        known. A method that is learned over several encoders may have regions that another encoder alone has grown,
        the fused part and the class bias beside them.
        """
        return self.verdicts.terms(method, a, b)

    def global_contribution(self, method: str, a: str | int | None = None, b: str | int | None = None) -> float:
        """Returns the share of the margin of class a over class b that no region has; arguments: :meth:`margin`.

        It is the sum of :meth:`terms`.
        """
        return self.verdicts.global_contribution(method, a, b)
