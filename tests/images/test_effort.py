"""Small files that would take long: too many parts in front of the pixels, too many scans of them."""

from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest

from lgca_plugin.errors import ImageError
from lgca_plugin.images.decoding import open_picture
from lgca_plugin.images.effort import MAX_HEADER_READS, MAX_SCANS
from tests.helpers.bad_images.bombs import scans_jpeg
from tests.helpers.bad_images.cut import drawing, saved
from tests.helpers.bad_images.exif import SHORT, ifd, segment
from tests.helpers.bad_images.values import chunk, png

ROWS = bytes(16 * 49)
START_OF_SCAN = b"\xff\xda\0\x02"


def test_scans__of_a_progressive_jpeg_are_limited() -> None:
    assert open_picture(scans_jpeg(64, 64, MAX_SCANS - 10)).size_hw == (64, 64)
    with pytest.raises(ImageError, match="more than 100 scans"):
        open_picture(scans_jpeg(64, 64, MAX_SCANS))


def test_scans__of_other_pictures_in_the_same_file_do_not_count() -> None:
    """A thumbnail in a segment; a film or pictures behind the end."""
    jpeg = saved("JPEG", drawing(64, 64), progressive=True)
    inside = segment(0xE1, b"Exif\0\0" + START_OF_SCAN * 1000)
    assert open_picture(jpeg[:2] + inside + jpeg[2:] + START_OF_SCAN * 1000).size_hw == (64, 64)


def test_warnings__of_pillow_are_silent_while_images_are_decoded_and_no_others_ever() -> None:
    odd = saved("JPEG", drawing(64, 64), exif=ifd((0x0100, SHORT, 2, 6)))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        before = list(warnings.filters)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: open_picture(odd), range(400)))
        assert warnings.filters == before
        assert not caught
        warnings.warn("the user's own", stacklevel=1)
    assert [str(one.message) for one in caught] == ["the user's own"]


@pytest.mark.parametrize(
    "data",
    [
        png(16, 16, 8, 2, ROWS, before=chunk(b"prVt", b"") * MAX_HEADER_READS),
        b"P6\n#" + b"x" * MAX_HEADER_READS + b"\n16 16 255\n" + bytes(16 * 48),
        b"\xff\xd8" + segment(0xE1, b"Exif\0\0" + bytes(65_000)) * 70 + saved("JPEG", drawing(16, 16))[2:],
    ],
    ids=["png", "ppm", "jpg"],
)
def test_header__of_too_many_parts_is_refused(data: bytes) -> None:
    with pytest.raises(ImageError, match="its header has more than 100,000 parts, or 4 MiB of EXIF data"):
        open_picture(data)


def test_pixels__may_be_read_in_many_parts() -> None:
    """The limit ends with the header: here a pixel a part."""
    content = png(16, 16, 8, 2, ROWS)
    start, end = content.index(b"IDAT") - 4, content.index(b"IEND") - 4
    compressed = content[start + 8 : end - 4]
    parts = b"".join(chunk(b"IDAT", bytes([byte])) for byte in compressed) + chunk(b"IDAT", b"") * MAX_HEADER_READS
    assert open_picture(content[:start] + parts + content[end:]).size_hw == (16, 16)
