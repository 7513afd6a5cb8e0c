"""The work of one device's process, here in a thread: what it asks for, what it sends, and how it ends."""

import threading
from itertools import chain
from multiprocessing import Pipe
from typing import Any

import numpy as np
import pytest

from lgca_plugin.config import RunConfig
from lgca_plugin.config.default_methods import run_methods
from lgca_plugin.cores import core_count, limit_cores
from lgca_plugin.demo.classes import CLASSES, DESCRIPTIONS
from lgca_plugin.descriptions.class_texts import class_texts
from lgca_plugin.devices.messages import COUNTED, ENDED, FAILED, READY, SCORED, plain_sources, read_outcome
from lgca_plugin.devices.worker import DeviceWork, main
from lgca_plugin.engine.embeddings import EncodedImage, FailedImage
from lgca_plugin.engine.engine import encode_images
from lgca_plugin.engine.stats import EngineStats
from lgca_plugin.images.boxed import BoxedImage
from lgca_plugin.prediction.predictor import Predictor
from tests.helpers.jobs.new_job import SMALL


@pytest.fixture(autouse=True)
def all_cores():
    yield
    limit_cores(None)


@pytest.fixture(scope="module")
def config(demo_encoder):
    return RunConfig(
        classes=tuple(CLASSES),
        descriptions_hash=class_texts(CLASSES, DESCRIPTIONS).digest,
        methods=run_methods(None, SMALL),
        regions=SMALL,
        encoder=demo_encoder.name,
        encoder_fingerprint=demo_encoder.fingerprint,
        precision=demo_encoder.precision,
        resize=demo_encoder.resize,
        budget="adaptive",
        logits=True,
    )


@pytest.fixture(scope="module")
def predictor(config, demo_encoder):
    return Predictor(config.methods, class_texts(CLASSES, DESCRIPTIONS), demo_encoder, config.region_plan)


def messages(config, predictor, sources, **changes):
    """What a process sends that is given these images, two at a time."""
    (work, work_there), (results, results_there) = Pipe(), Pipe(duplex=False)
    given = DeviceWork(
        device="cpu",
        cpus=core_count(),
        encoder_source=("demo", None),
        config=config.to_json(),
        class_vectors=predictor.class_vectors,
        offsets={},
        store="",
        store_fingerprint=None,
    )
    arguments = (work_there, results_there, {**vars(given), **changes})
    thread = threading.Thread(target=main, args=arguments)
    thread.start()
    seen = [results.recv()]
    if seen[0][0] == READY:
        work.send(seen[0][1])
        for start in range(0, len(sources) + 2, 2):
            assert work.recv() is None
            work.send(plain_sources(sources[start : start + 2]))
        while seen[-1][0] not in (ENDED, FAILED):
            seen.append(results.recv())
    thread.join()
    return seen


def test_worker__sends_what_the_engine_and_the_scoring_find(config, predictor, demo_images, demo_encoder, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no image")
    paths = [str(image.path) for image in demo_images[:4]]
    sources: list[Any] = [*zip("abc", paths, strict=False), ("d", str(tmp_path / "broken.png"))]
    sources.append(("e", BoxedImage(paths[3], (0.1, 0.1, 0.8, 0.8))))
    seen = messages(config, predictor, sources)
    scored = chain.from_iterable(one[1] for one in seen if one[0] == SCORED)
    found = {outcome.id: (outcome, own) for outcome, own in map(read_outcome, scored)}
    assert list(found) == list("abcde")
    stats = EngineStats()
    for one in seen:
        if one[0] == COUNTED:
            stats.add(EngineStats(**one[1]))
    own, plan = EngineStats(), config.region_plan
    expected = list(encode_images(sources, encoder=demo_encoder, plan=plan, stats=own, can_stop=predictor.can_stop))
    counted = ("images", "failed", "encodes", "levels", "batch_size")
    assert [getattr(stats, name) for name in counted] == [getattr(own, name) for name in counted]
    for image in expected:
        outcome, prediction = found[image.id]
        if isinstance(image, FailedImage):
            assert (outcome, prediction) == (image, None)
            continue
        assert isinstance(outcome, EncodedImage) and prediction is not None
        assert (outcome.content_hash, outcome.level) == (image.content_hash, image.level)
        np.testing.assert_array_equal(outcome.boxes, image.boxes)
        np.testing.assert_allclose(outcome.regions, image.regions, atol=1e-5)
        (other,) = predictor.predict([image], find=True)
        assert prediction.regions[0].box == other.regions[0].box and prediction.finding is not None
        for name, method in other.methods.items():
            assert prediction.methods[name].label == method.label
            own_logits, logits = prediction.methods[name].logits, method.logits
            assert own_logits is not None and logits is not None and np.abs(own_logits - logits).max() < 1e-3


def test_worker__with_other_weights_says_so(config, predictor):
    (seen,) = messages(config, predictor, [], encoder_source=("demo-vit", None))
    assert seen[0] == FAILED and "are not those of the encoder that was passed" in seen[1]
