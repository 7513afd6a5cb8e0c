"""Images in, embeddings out: expansion steps, batches, and replay of stored embeddings.

Reading files and cutting crops are in ``images``, the models in ``encoder``, files of embeddings in ``store``.
"""
