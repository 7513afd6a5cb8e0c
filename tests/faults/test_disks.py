"""A disk that is full: the run goes on without embeddings, or waits for the database that has died of it."""

from tests.helpers.faults.damage import values_of
from tests.helpers.faults.process import finished, job
from tests.helpers.faults.server import NAME, server, stored_values
from tests.helpers.faults.undisturbed import CLASSIFY

MEGABYTE = 1024**2


def test_disk_full__of_the_store_costs_embeddings_and_no_prediction(birds, reference, count_fault, tmp_path):
    with job(tmp_path, "classify", birds.name, limits={"RLIMIT_FSIZE": MEGABYTE}) as running:
        assert running.end() == 0, running.errors
    assert "without the store" in running.errors
    birds.reload()
    found, expected = values_of(birds), dict(reference.after(CLASSIFY))
    for values in (found, expected):
        assert values.pop("run zs/stored") == values.pop("run zs/stored.n")
    count_fault("disk full: store of embeddings", reference.compared(found, expected))
    finished(tmp_path, "classify", birds.name, overwrite=True)
    count_fault("disk full: started over with room", reference.damage(birds, CLASSIFY))


def test_disk_full__of_the_database_ends_mongod_and_the_run_waits_until_it_is_back(
    images, reference, count_fault, tmp_path
):
    with server(tmp_path) as own, job(tmp_path, "classify", NAME, env=own.environment, images=images) as running:
        running.wait_for_images(8)
        own.fill_disk()
        own.start()
        assert running.end() == 0, running.errors
        assert "answers again" in running.errors
        damage = reference.damage_of(stored_values(own, tmp_path), CLASSIFY)
    count_fault("disk full: database", damage)
