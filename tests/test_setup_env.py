"""The set-up says what is likely to go wrong before it does."""

import pytest

from scripts import setup_env

GB = 10**9


@pytest.mark.parametrize(("free", "installed"), [(20 * GB, False), (5 * GB, True)])
def test_disk_warning__says_nothing_where_there_is_room(free, installed):
    assert setup_env.disk_warning(free, installed=installed) == ""


@pytest.mark.parametrize(("free", "installed", "needed"), [(5 * GB, False, "10 GB"), (GB // 2, True, "2 GB")])
def test_disk_warning__says_how_much_is_needed(free, installed, needed):
    warning = setup_env.disk_warning(free, installed=installed)

    assert f"{free / GB:.1f} GB" in warning
    assert needed in warning
