"""The methods as mathematics on arrays: no images, no models, no database.

Only NumPy, SciPy and cleanlab are used, and nothing above this folder is imported.
"""
