"""Work on a Dask cluster: one that is there, one whose worker dies, and none at all."""

import logging
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from ser_core import inference as archive
from ser_core.inference.archive import executors as workers
from ser_core.inference.archive.executors import ClusterError, dask_executor, n_cores, process_executor
from ser_core.models.checkpoint import load_model
from ser_core.models.names import CheckpointError
from tests.inference.archive.make_archive import analyse_all, write_recordings

pytestmark = pytest.mark.slow


def test_there_is_a_core():
    assert 1 <= n_cores() <= os.cpu_count()


def test_processes_do_the_work():
    with process_executor(2) as executor:
        assert list(executor.map(abs, [-1, -2, 3])) == [1, 2, 3]
        assert executor.submit(eval, "'torch' in __import__('sys').modules").result()  # imported once for all of them


def test_without_forks_as_well(monkeypatch):
    monkeypatch.setattr(workers, "START_METHOD", "spawn")
    with process_executor(2) as executor:
        assert list(executor.map(abs, [-1, -2, 3])) == [1, 2, 3]


THREADS_OF_THE_FORKED = """
import os
from pathlib import Path
from ser_core.inference import process_executor
with process_executor(2) as executor:
    forked = executor.submit(os.getppid).result()
    assert forked != os.getpid()
    print(*(name.read_text().strip() for name in Path(f"/proc/{forked}/task").glob("*/comm")))
"""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts threads as Linux lists them")
def test_workers_are_forked_from_a_process_without_other_threads():
    """A thread that holds a lock at that moment would leave it locked in the worker for ever."""
    done = subprocess.run([sys.executable, "-c", THREADS_OF_THE_FORKED], capture_output=True, text=True, check=True)
    assert len(done.stdout.split()) == 1, done.stdout  # names of threads


INTERRUPTED_AT_THE_START = """
import os, signal, threading
from ser_core.inference import process_executor, start_processes
from ser_core.inference.archive import executors
executors.START_METHOD = "METHOD"
start_processes()
threading.Timer(DELAY_S, os.killpg, (0, signal.SIGINT)).start()
try:
    with process_executor(1) as executor:
        executor.submit(abs, -1).result()
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.parametrize(("method", "delay_s"), [("forkserver", "0.5"), ("spawn", "0.1")])
def test_an_interrupt_while_processes_start_is_for_the_parent(method, delay_s):
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_AT_THE_START.replace("METHOD", method).replace("DELAY_S", delay_s)],
        capture_output=True,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # tests in the background inherit another
    )
    assert (done.stdout, done.stderr) == ("interrupted\n", "")


def test_a_lost_worker_loses_nothing(checkpoints, tmp_path, speech):
    from distributed import Client, LocalCluster

    recordings, model = write_recordings(tmp_path / "recordings", speech), str(checkpoints / "small")
    expected = analyse_all(recordings, model, tmp_path / "once" / "r.parquet", n_workers=2)
    out = tmp_path / "r.parquet"
    job = archive.open_job(recordings, model, load_model(model).version, out, 2)
    cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
    with cluster, Client(cluster, set_as_default=False) as client:
        pids = client.run(os.getpid)
        with dask_executor(cluster.scheduler_address, 2) as (executor, n_workers):
            assert n_workers == 2
            work = archive.run_job(job, out, executor, n_workers)
            done = [next(work)]
            os.kill(next(iter(pids.values())), signal.SIGKILL)
            done += work
    assert sum(progress.n_files for progress in done) == job.n_files
    archive.finish_job(job, out)
    found = pq.read_table(out).to_pylist()
    assert [row["file"] for row in found] == [row["file"] for row in expected]
    assert found == expected


def test_no_log_of_a_worker_holds_the_name_of_a_file(checkpoints, tmp_path, speech, caplog):
    from distributed import LocalCluster

    recordings, model = write_recordings(tmp_path / "recordings", speech), str(checkpoints / "small")
    job = archive.open_job(recordings, model, "00000000", tmp_path / "r.parquet", 1)
    logging.getLogger("distributed.worker").addHandler(caplog.handler)
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None) as cluster,
        dask_executor(cluster.scheduler_address, 1) as (executor, n_workers),
        pytest.raises(CheckpointError, match=r"version.* 00000000"),
    ):
        list(archive.run_job(job, tmp_path / "r.parquet", executor, n_workers))
    logging.getLogger("distributed.worker").removeHandler(caplog.handler)
    assert "predict_files" in caplog.text
    assert not [path for path in recordings.rglob("*.*") if path.name in caplog.text]


def test_a_cluster_of_this_machine_is_started():
    with dask_executor(workers.LOCAL_CLUSTER, 1) as (executor, n_workers):
        assert n_workers == 1 and executor.submit(abs, -1).result() == 1


@pytest.fixture
def silent():
    """The address of somebody who listens and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield f"tcp://127.0.0.1:{listener.getsockname()[1]}"


def test_a_scheduler_that_does_not_answer_is_told(silent):
    with (
        pytest.raises(ClusterError, match=rf"{silent} .*dask scheduler"),
        dask_executor(silent, 1, timeout_s=0.5),
    ):
        pass


def test_a_wrong_address_is_told(subtests):
    for address in ["tcp://127.0.0.1:1", "nonsense", "xyz://a:1", "tcp://127.0.0.1"]:
        with (
            subtests.test(address=address),
            pytest.raises(ClusterError, match=rf"{address} .*dask scheduler"),
            dask_executor(address, 1, timeout_s=0.5),
        ):
            pass


def test_a_scheduler_without_workers_is_told():
    from distributed import LocalCluster

    with (
        LocalCluster(n_workers=0, dashboard_address=None) as cluster,
        pytest.raises(ClusterError, match="dask worker tcp"),
        dask_executor(cluster.scheduler_address, 1, timeout_s=0.5),
    ):
        pass


def test_without_dask_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ClusterError, match=r"requirements-archive\.txt"), dask_executor(workers.LOCAL_CLUSTER, 1):
        pass
