"""Reading and writing FiftyOne datasets: samples, fields, documents, thumbnails. What a run is stands in ``runs``."""
