"""Fusion of several encoders: a graph over their nodes, its training and its answers, in torch.

After HADA (arXiv 2301.04742), which fuses frozen image-text models by graph attention. Arrays come in and go out: no
store, no database, no images.
"""
