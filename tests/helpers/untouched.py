"""Guards what several tests share."""

from contextlib import contextmanager


@contextmanager
def untouched(dataset):
    """Fails where a test changes a dataset that others look at, too: its samples, its fields or its runs."""

    def state():
        dataset.reload()
        return len(dataset), dataset.max("last_modified_at"), list(dataset.get_field_schema()), dataset.list_runs()

    before = state()
    yield
    assert state() == before, "the test has changed what other tests share"
