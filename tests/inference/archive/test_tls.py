"""An archive on a Dask cluster with TLS: encrypted, and only for those who have a certificate."""

import json
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from ser_core import inference as archive
from ser_core.inference.archive.executors import ClusterError, dask_executor
from ser_core.models.checkpoint import load_model
from tests.conftest import ROOT
from tests.inference.archive.make_archive import analyse_all, write_recordings
from tests.processes import eventually

pytestmark = pytest.mark.slow
config = pytest.importorskip("dask.config", reason="needs requirements-archive.txt")


def certificate(folder: Path) -> tuple[str, str]:
    """The paths of a certificate that is its own authority, and of its key."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    folder.mkdir()
    paths = str(folder / "cert.pem"), str(folder / "key.pem")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=dask"]
    subprocess.run([*command, "-out", paths[0], "-keyout", paths[1]], check=True, capture_output=True)
    return paths


@contextmanager
def dask(*arguments: str):
    """`python -m dask`, until the end of the block."""
    process = subprocess.Popen([sys.executable, "-m", "dask", *arguments], cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def cluster(tmp_path):
    """The address of a scheduler with a worker, and its certificate."""
    cert, key = certificate(tmp_path / "tls")
    tls = ["--tls-ca-file", cert, "--tls-cert", cert, "--tls-key", key]
    file = tmp_path / "scheduler.json"
    common = ["--scheduler-file", str(file), "--host", "127.0.0.1", *tls]
    with dask("scheduler", "--protocol", "tls", "--port", "0", "--no-dashboard", *common):
        assert eventually(lambda: file.is_file() and file.read_text(), 60)
        with dask("worker", "--nthreads", "1", "--no-nanny", "--no-dashboard", *common):
            yield json.loads(file.read_text())["address"], cert, key


def of_client(cert: str, key: str) -> dict[str, str]:
    """Dask's configuration; on the command line variables such as DASK_DISTRIBUTED__COMM__TLS__CA_FILE."""
    tls = "distributed.comm.tls"
    return {f"{tls}.ca-file": cert, f"{tls}.client.cert": cert, f"{tls}.client.key": key}


def test_an_archive_is_predicted_by_a_cluster_with_tls(cluster, checkpoints, tmp_path, speech):
    address, *files = cluster
    assert address.startswith("tls://")
    for strange in ({}, of_client(*certificate(tmp_path / "strange"))):
        with config.set(strange), pytest.raises(ClusterError, match="dask scheduler"), dask_executor(address, 1, 3.0):
            pass
    recordings, model = write_recordings(tmp_path / "recordings", speech), str(checkpoints / "small")
    out = tmp_path / "r.parquet"
    job = archive.open_job(recordings, model, load_model(model).version, out, 1)
    with config.set(of_client(*files)), dask_executor(address, 1, 60.0) as (executor, n_workers):
        done = sum(progress.n_files for progress in archive.run_job(job, out, executor, n_workers))
    assert done == job.n_files
    archive.finish_job(job, out)
    assert pq.read_table(out).to_pylist() == analyse_all(recordings, model, tmp_path / "once" / "r.parquet")
