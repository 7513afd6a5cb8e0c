"""Plotly figures as plain documents: arrays and texts in, no database and no model.

Panels take the documents as they are; Plotly is imported only where a figure object is returned.
"""
