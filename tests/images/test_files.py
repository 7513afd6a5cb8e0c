"""Opening image files: regular ones of limited size; anything else fails with a reason, and blocks nothing."""

from __future__ import annotations

import ast
import os
import socket
import stat
import time
import weakref
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import wait
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Lock, Thread

import numpy as np
import pytest

import lgca_plugin
from lgca_plugin.cores import core_count
from lgca_plugin.errors import ImageError
from lgca_plugin.fiftyone_io.documents import image_metadata
from lgca_plugin.images.crops import Preprocessing, crop_and_resize
from lgca_plugin.images.decoding import open_picture
from lgca_plugin.images.files import file_bytes
from lgca_plugin.images.load_ahead import MAX_WORKERS, LoadAhead
from lgca_plugin.images.memory import MAX_FILE_BYTES, PIXELS, MemoryBudget
from tests.helpers import images
from tests.helpers.bad_images.cut import drawing, saved


@pytest.fixture
def odd(tmp_path: Path) -> Iterator[Path]:
    """A folder of paths that lead to no image file."""
    (tmp_path / "folder.jpg").mkdir()
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "link to pipe.jpg").symlink_to("pipe.jpg")
    (tmp_path / "zeros.jpg").symlink_to("/dev/zero")
    (tmp_path / "lost.jpg").symlink_to("nowhere.jpg")
    (tmp_path / "circle.jpg").symlink_to("circle.jpg")
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "large.jpg").touch()
    os.truncate(tmp_path / "large.jpg", MAX_FILE_BYTES + 1)
    here = Path.cwd()
    os.chdir(tmp_path)  # the path of a socket may have a hundred characters
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.jpg")
        os.chdir(here)
        yield tmp_path


REASONS = {
    "folder.jpg": "a folder",
    "pipe.jpg": "a named pipe",
    "link to pipe.jpg": "a named pipe",
    "zeros.jpg": "a device",
    "socket.jpg": "a socket",
    "lost.jpg": "does not exist",
    "circle.jpg": "can't be read",
    "empty.jpg": "empty",
    "large.jpg": "more than 1 GiB",
    "a\0b.jpg": "can't be read",
    "n" * 300: "can't be read",
}


@pytest.mark.parametrize("name", REASONS)
def test_file__that_is_no_regular_file_fails_with_a_reason_before_it_is_read(odd: Path, name: str) -> None:
    with pytest.raises(ImageError, match=REASONS[name]), file_bytes(odd / name):
        pytest.fail("it was read")
    assert image_metadata(str(odd / name)) is None


def test_pipe__that_takes_the_place_of_a_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look at the path and the opening."""
    path = images.write(tmp_path, "plain.bmp")
    looked = os.stat_result((stat.S_IFREG | 0o600, *path.stat()[1:]))
    path.unlink()
    os.mkfifo(path)
    monkeypatch.setattr(Path, "stat", lambda _: looked)
    with pytest.raises(ImageError, match="a named pipe"), file_bytes(path):
        pytest.fail("it was read")


def test_file__that_grows_meanwhile_fails_and_one_that_is_cut_is_read_as_it_is(tmp_path: Path) -> None:
    path = images.write(tmp_path, "plain.bmp")
    data = path.read_bytes()

    class Changed(MemoryBudget):
        """Changes the file when it is open and its size is known."""

        size = len(data)

        @contextmanager
        def reserve(self, nbytes: int) -> Iterator[None]:
            os.truncate(path, self.size)
            with super().reserve(nbytes):
                yield

    with file_bytes(path, memory=Changed(10**6)) as found:
        assert found == data
    Changed.size += 1
    with pytest.raises(ImageError, match="grew"), file_bytes(path, memory=Changed(10**6)):
        pytest.fail("it was read")


def test_memory__is_shared_by_all_threads_and_given_in_order() -> None:
    budget, began, order = MemoryBudget(100), Event(), list[int]()

    def take(nbytes: int) -> None:
        began.set()
        with budget.reserve(nbytes):
            order.append(nbytes)

    threads = []
    with budget.reserve(60):
        for nbytes in (41, 40):  # the second would fit, but it came later
            began.clear()
            threads.append(Thread(target=take, args=(nbytes,)))
            threads[-1].start()
            assert began.wait(5)
            threads[-1].join(0.05)
        assert order == []
    for thread in threads:
        thread.join(5)
    assert order == [41, 40]
    with budget.reserve(100), pytest.raises(ValueError, match="more than the whole"), budget.reserve(101):
        pass


def test_ahead__of_many_large_images_holds_what_fits_and_loads_each_once_its_turn_has_come() -> None:
    """Small images first, so that large ones are expected to be small."""
    held, most, loads = [0], [0], Counter[int]()
    lock = Lock()

    class Image:
        def __init__(self, nbytes: int) -> None:
            self.nbytes = nbytes
            with lock:
                held[0] += nbytes
                most[0] = max(most[0], held[0])

        def __del__(self) -> None:
            with lock:
                held[0] -= self.nbytes

    def load(number: int) -> Image:
        loads[number] += 1
        time.sleep(0.001)
        if number % 20 == 7:
            raise ImageError(str(number))
        return Image(1 if number < 100 else 900)

    found = []
    with LoadAhead(((number, number) for number in range(140)), load, max_images=64, max_bytes=1000) as ahead:
        while ahead.head() is not None:
            id_, loaded = ahead.take()
            found.append((id_, str(loaded) if isinstance(loaded, ImageError) else loaded.nbytes))
    assert found == [(n, str(n) if n % 20 == 7 else 1 if n < 100 else 900) for n in range(140)]
    workers = min(MAX_WORKERS, core_count())
    assert most[0] <= 1000 + 900 * (workers + 1), "those that wait, those being loaded, the one taken"
    assert loads.total() <= 140 + 8 * workers


def test_ahead__of_images_that_fail_holds_their_reasons_alone() -> None:
    """Not what the error's frames hold: the bytes of the file, and pixels decoded in part."""
    held: list[weakref.ref[Event]] = []

    def load(number: int) -> np.ndarray:
        pixels = Event()
        held.append(weakref.ref(pixels))
        try:
            raise ValueError(number)
        except ValueError as error:
            raise ImageError(f"reason {number}") from error

    with LoadAhead(((number, number) for number in range(8)), load, max_images=1, max_bytes=1000) as ahead:
        for number in range(8):
            head = ahead.head()
            assert head is not None
            wait([head])
            assert not [one for one in held if one() is not None]
            id_, error = ahead.take()
            assert (id_, str(error)) == (number, f"reason {number}")


def test_ahead__loads_an_image_again_that_did_not_fit_into_memory_beside_the_others() -> None:
    loads, is_alone = Counter[int](), Event()

    def load(number: int) -> np.ndarray:
        loads[number] += 1
        if number == 2 and not is_alone.is_set():
            raise ImageError("the image does not fit into memory") from MemoryError()
        return np.zeros(1)

    found = []
    with LoadAhead(((number, number) for number in range(3)), load, max_images=8, max_bytes=1000) as ahead:
        for number in range(3):
            ahead.head()
            if number == 1:
                wait([future for _, _, future in ahead._pending])  # with image 2, whose turn has not come
                is_alone.set()
            found.append(ahead.take())
    assert [id_ for id_, loaded in found if not isinstance(loaded, ImageError)] == [0, 1, 2]
    assert loads == {0: 1, 1: 1, 2: 2}


def test_images__are_opened_and_decoded_in_one_place_each() -> None:
    """The demo decodes what it has drawn itself."""
    root = Path(str(lgca_plugin.__file__)).parent
    found = set()
    for path in [*root.rglob("*.py"), *(root.parent / "operators").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in {"Image.open", "Images.open", "PIL.Image.open"}:
                found.add(str(path.relative_to(root.parent)))
    reads_headers = "lgca_plugin/images/header.py"
    assert found == {"lgca_plugin/images/decoding.py", "lgca_plugin/demo/train.py", reads_headers}


@pytest.mark.parametrize("exact", [True, False])
def test_pixels__are_decoded_and_cut_only_once_there_is_memory_for_them(exact: bool) -> None:
    data = saved("PNG", drawing(400, 400))
    image, boxes = open_picture(data).image, np.array([[0, 0, 300, 300]])
    config = Preprocessing(size=64, mean=(0.5,) * 3, std=(0.5,) * 3, exact=exact)
    for work in (lambda: open_picture(data), lambda: crop_and_resize(image, boxes, config)):
        done = Event()
        thread = Thread(target=lambda work=work, done=done: (work(), done.set()))
        with PIXELS.reserve(PIXELS.nbytes - 4 * 300 * 300 + 1):
            thread.start()
            assert not done.wait(0.2)
        assert done.wait(10)
        thread.join()
