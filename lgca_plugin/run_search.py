"""The image vectors of a run: as an array, for searches, and for FiftyOne's Embeddings panel."""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

from .run_figures import RunFigures

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fiftyone.brain.similarity import SimilarityIndex
    from fiftyone.brain.visualization import VisualizationResults

    from .encoder.base import Encoder
    from .progress import Progress
    from .workflows.similarity.similarity import Similarity
    from .workflows.similarity.vectors import ImageVectors


class RunSearch(RunFigures):
    """A run whose images can be searched."""

    def vectors(self, method: str | None = None) -> ImageVectors:
        """Returns the stored image vectors of a method: its weighted mean of the embeddings of regions, one an image.

        Args:
            method: name of one of the run's methods; None takes ``lgca``, else ``wca``, else the whole image

        Returns:
            ``sample_ids`` and ``[n, d]`` float32 unit ``vectors``, of the samples that are stored and still there

        Raises:
            ConfigError: if the run has no such method, or its vectors are not stored
            StoreError: if the store can't be read
        """
        from .workflows.similarity.vectors import image_vectors_of_run

        return image_vectors_of_run(self, method)

    @overload
    def similarity(
        self,
        brain_key: str,
        *,
        method: str | None = None,
        backend: str | None = None,
        encoder: Encoder | Sequence[Encoder] | None = None,
    ) -> SimilarityIndex: ...

    @overload
    def similarity(
        self,
        *,
        encoder: Encoder | Sequence[Encoder] | None = None,
        progress: bool | Callable[[Progress], object] | None = None,
    ) -> Similarity: ...

    def similarity(
        self,
        brain_key: str | None = None,
        *,
        method: str | None = None,
        backend: str | None = None,
        encoder: Encoder | Sequence[Encoder] | None = None,
        progress: bool | Callable[[Progress], object] | None = None,
    ) -> SimilarityIndex | Similarity:
        """Registers the run's image vectors with FiftyOne as a similarity index; no image is encoded.

        ``dataset.sort_by_similarity("a duck that dives", k=25, brain_key=brain_key)`` and the App's search find images
        by a text, read by the run's own encoder, in this and any later process, or by other images. The index is
        deleted with the run; registered again under its key, it is made anew.

        Args:
            brain_key: key of the index; None returns the search in a fused run, with all its encoders
            method: name of the method whose vectors are searched, none that weighs regions by class; None takes
                ``lgca``, else ``wca``, else the whole image
            backend: FiftyOne's similarity backend, for vectors that a database of its own holds; None takes FiftyOne's
                default, which keeps them with the dataset, 10 KB an image
            encoder: as in :meth:`rescore`; needed for texts if the run's encoder is one of your own, and for the
                search in a fused run as :meth:`rescore` needs it
            progress: as in :meth:`rescore`; of the search in a fused run

        Returns:
            FiftyOne's index; without ``brain_key`` the search, which is quicker the second time

        Raises:
            ConfigError: if an argument is wrong, something else has the brain key, or vectors are not stored; without
                ``brain_key`` if the run is not fused
            StoreError: if the store can't be read
        """
        if brain_key is None:
            from .workflows.similarity.similarity import Similarity

            return Similarity(self, encoder=encoder, progress=progress)
        from .workflows.similarity.brain_index import register_similarity

        return register_similarity(self, brain_key, method, backend=backend, encoder=encoder)

    def visualize(
        self, brain_key: str, *, method: str | None = None, projection: str | None = None, seed: int = 51
    ) -> VisualizationResults:
        """Registers the run's image vectors for the App's Embeddings panel; no image is encoded.

        Args:
            brain_key: key of the visualization, which is deleted with the run
            method: as in :meth:`vectors`
            projection: ``"umap"``, ``"tsne"`` or ``"pca"``; None takes UMAP if umap-learn is installed, else t-SNE
            seed: of the projection

        Returns:
            FiftyOne's visualization

        Raises:
            ConfigError: if an argument is wrong, something else has the brain key, or vectors are not stored
            StoreError: if the store can't be read
        """
        from .workflows.similarity.brain_index import register_visualization

        return register_visualization(self, brain_key, method, projection=projection, seed=seed)
