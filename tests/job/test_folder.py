"""Files of a job's folder appear whole, whoever else writes them."""

import pytest

from lgca_plugin.job.folder import TEMPORARY, JobFolder


def test_sweep__removes_what_killed_writers_of_a_file_have_left(tmp_path):
    (tmp_path / "results").mkdir()
    for name in ("7.parquet", "17.parquet"):
        (tmp_path / "results" / f"{TEMPORARY}{name}.0").write_bytes(b"half")
    folder = JobFolder(tmp_path)
    folder.write("results/7.parquet", b"whole")
    folder.sweep("results/7.parquet")
    assert {path.name for path in (tmp_path / "results").iterdir()} == {"7.parquet", f"{TEMPORARY}17.parquet.0"}


@pytest.mark.parametrize("is_there", [True, False])
def test_file__whose_other_writer_was_first_is_there(is_there, tmp_path):
    folder = JobFolder(tmp_path)

    def write_twice():
        with folder._appearing(tmp_path / "7.parquet") as slower:
            slower.write_bytes(b"the same")
            if is_there:
                folder.write("7.parquet", b"the same")
            else:
                slower.unlink()

    if is_there:
        write_twice()
        assert folder.names("") == ["7.parquet"] and folder.read("7.parquet") == b"the same"
    else:
        with pytest.raises(FileNotFoundError):
            write_twice()
    assert not list(tmp_path.glob(f"{TEMPORARY}*"))
