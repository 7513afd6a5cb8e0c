"""The set-up says what is likely to go wrong before it does."""

import pytest

from scripts import mongod, setup_env

GB = 10**9


@pytest.mark.parametrize(("free", "installed"), [(20 * GB, False), (5 * GB, True)])
def test_disk_warning__says_nothing_where_there_is_room(free, installed):
    assert setup_env.disk_warning(free, installed=installed) == ""


@pytest.mark.parametrize(("free", "installed", "needed"), [(5 * GB, False, "10 GB"), (GB // 2, True, "2 GB")])
def test_disk_warning__says_how_much_is_needed(free, installed, needed):
    warning = setup_env.disk_warning(free, installed=installed)

    assert f"{free / GB:.1f} GB" in warning
    assert needed in warning


def test_mongod__says_that_another_server_uses_the_folder(tmp_path):
    with (
        mongod.running_mongod(tmp_path),
        pytest.raises(RuntimeError, match="another server uses"),
        mongod.running_mongod(tmp_path),
    ):
        pass
    with mongod.running_mongod(tmp_path) as uri:
        assert uri.startswith("mongodb://127.0.0.1:")
