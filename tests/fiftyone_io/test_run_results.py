import threading

import pytest
from fiftyone.core.odm import get_db_conn

from lgca_plugin.errors import LgcaError
from lgca_plugin.fiftyone_io.database import run_id
from lgca_plugin.fiftyone_io.run_results import change_run_results, read_run_results


@pytest.fixture
def recorded(dataset):
    """A dataset with a run "zs" whose results are one number."""
    dataset.register_run("zs", dataset.init_run(package="test"))
    change_run_results(dataset, "zs", lambda _: {"number": 1})
    return dataset


def n_files() -> int:
    return get_db_conn()["fs.files"].count_documents({})


def test_results__are_those_that_fiftyone_reads(recorded):
    assert recorded.load_run_results("zs").number == 1
    recorded.save_run_results("zs", recorded.init_run_results("zs", number=7), overwrite=True)
    assert read_run_results(recorded, "zs") == {"number": 7}


def test_results__stay_if_the_new_ones_can_not_be_written(recorded):
    before = n_files()
    with pytest.raises(TypeError):
        change_run_results(recorded, "zs", lambda _: {"number": object()})
    assert read_run_results(recorded, "zs") == {"number": 1}
    assert n_files() == before


def test_results__that_are_replaced_leave_no_file(recorded):
    before = n_files()
    for _ in range(3):
        change_run_results(recorded, "zs", lambda stored: {"number": stored["number"] + 1})
    assert n_files() == before
    recorded.delete_run("zs")
    assert n_files() == before - 1


def test_results__of_two_threads_that_change_them_at_once_are_all_there(recorded):
    def count(name):
        for _ in range(10):
            change_run_results(recorded, "zs", lambda stored: {**stored, name: stored.get(name, 0) + 1})

    threads = [threading.Thread(target=count, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read_run_results(recorded, "zs") == {"number": 1, "a": 10, "b": 10}


def test_results__whose_file_is_missing_read_as_none_and_can_be_written_again(recorded):
    """An earlier release that was killed while it wrote them has left such a record."""
    (stored,) = get_db_conn().runs.find({"_id": run_id(recorded, "zs")})
    assert get_db_conn()["fs.files"].delete_one({"_id": stored["results"]}).deleted_count == 1
    assert read_run_results(recorded, "zs") == {}
    assert change_run_results(recorded, "zs", lambda stored: {**stored, "number": 2}) == {"number": 2}
    assert recorded.load_run_results("zs").number == 2


def test_results__of_a_run_that_was_deleted_are_not_written(recorded):
    recorded.delete_run("zs")
    before = n_files()
    with pytest.raises(LgcaError, match="deleted"):
        change_run_results(recorded, "zs", lambda _: {})
    assert n_files() == before
