"""Labelled birds, and parameters of the operator that classifies them."""

import base64

import fiftyone as fo

LIGHT = {"crops": 4, "steps": 1}  # region settings that keep the tests quick


def add_birds(dataset, images):
    """Adds eight drawn birds with a label field of two classes and a field that is no label."""
    dataset.add_samples(
        [
            fo.Sample(
                filepath=image.path,
                ground_truth=fo.Classification(label=image.label),
                boxes=fo.Detections(),
                taken=fo.Classification(label="x"),
                number=1.0,
            )
            for image in images[:8]
        ]
    )
    return dataset


def typed(*names, **params):
    """The parameters that classify with the demo's model and typed names."""
    return {"class_source": "typed", "classes": "\n".join(names), "encoder": "demo", **params}


def uploaded(data, name="descriptions.json"):
    """The parameters of a file of descriptions that was chosen in the form."""
    content = "data:application/json;base64," + base64.b64encode(data).decode()
    file = {"name": name, "type": "application/json", "size": len(data), "content": content, "last_modified": 0}
    return typed("a", "b", description_source="upload", description_upload=file)
