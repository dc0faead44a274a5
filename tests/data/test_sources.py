"""Downloads of the corpora from local servers with the formats of the real ones, readable by read_corpora."""

import hashlib
import json
import os
import re
import sys
import threading
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import quote

import pytest

from scripts import download_corpora
from ser_core.data.corpora import read_corpora
from ser_core.data.downloads import MIN_FREE_BYTES, DownloadError, RemoteFile
from ser_core.data.sources.catalogue import CORPUS_SOURCES, DOWNLOAD_INSTRUCTIONS
from ser_core.data.sources.download import download_corpus
from ser_core.data.sources.github import GITHUB_CORPORA
from ser_core.data.sources.recordings import download_files
from ser_core.data.utterances import CorpusError
from tests.make_corpus import voice, write_wav
from tests.make_server import Server, zipped

OTHER_LANGUAGES = {
    "hindi": ("my Dataset/1/session2/anger/1.2.anger-03.wav", "my Dataset/2/session5/disgust/2.5.dusgust-09.wav"),
    "turev": ("Sound Source/Calm/1234_sk_cay.wav", "Sound Source/Sad/7895_hl_ogul1.wav"),
    "ased": ("Neutral/n1-01-02-01-09.wav", "Angry/a5-02-01-02-37.wav"),
}
REPOSITORY = "/CheyneyComputerScience/CREMA-D"
CREMA_D = ("1001_DFA_ANG_XX.wav", "1001_IEO_HAP_HI.wav", "1002_ITH_SAD_XX.wav")
TESS = ("OAF_back_angry.wav", "YAF_dog_ps.wav", "OA_bite_neutral.wav")


def recording(tmp_path: Path, seed: int) -> bytes:
    return write_wav(tmp_path / "made.wav", voice(150, seed, 0.3)).read_bytes()


def trees_of(corpus: str) -> str:
    return f"/repos/{GITHUB_CORPORA[corpus]}/git/trees/HEAD?recursive=1"


def github_file(server: Server, corpus: str, path: str, content: bytes, number: int) -> dict:
    """Size and hash of a file as GitHub lists it; the first one of a repository is in Git LFS."""
    where = f"/{GITHUB_CORPORA[corpus]}/HEAD/{quote(path)}"
    if number == 0:
        server.contents[f"/media{where}"] = content
        digest = hashlib.sha256(content).hexdigest()
        content = f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {len(content)}\n".encode()
    server.contents[where] = content
    return {"size": len(content), "sha": hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()}


@pytest.fixture
def homes(server, tmp_path, monkeypatch) -> Server:
    """Zenodo, GitHub and a Dataverse in one."""
    for home in ("dataverse.DATAVERSE_URL", "zenodo.ZENODO_URL", "github.GITHUB_API", "github.GITHUB_RAW"):
        monkeypatch.setattr(f"ser_core.data.sources.{home}", server.address)
    monkeypatch.setattr("ser_core.data.sources.github.GITHUB_MEDIA", f"{server.address}/media")
    speech = {f"Actor_01/03-01-0{k}-01-01-01-01.wav": recording(tmp_path, k) for k in range(1, 5)}
    song = {"Actor_02/03-02-01-01-01-01-02.wav": recording(tmp_path, 9), "__MACOSX/Actor_02/._x.wav": b"x"}
    record, files = "/api/records/1188976", []
    for name, members in (("Audio_Speech_Actors_01-24.zip", speech), ("Audio_Song_Actors_01-24.zip", song)):
        content = zipped(members)
        server.contents[f"{record}/files/{name}/content"] = content
        checksum = f"md5:{hashlib.md5(content).hexdigest()}"
        files.append({"key": name, "size": len(content), "checksum": checksum, "links": {"self": "elsewhere"}})
    server.contents[record] = json.dumps({"id": 1188976, "files": files}).encode()

    trees = f"/repos{REPOSITORY}/git/trees"
    server.contents[f"{trees}/master"] = json.dumps(
        {"tree": [{"path": "AudioWAV", "sha": "5ha", "type": "tree"}]}
    ).encode()
    names = [*CREMA_D, "README.md", "../1003_DFA_ANG_XX.wav"]
    server.contents[f"{trees}/5ha"] = json.dumps({"tree": [{"path": n, "sha": "0"} for n in names]}).encode()
    for k, name in enumerate(CREMA_D):
        content = recording(tmp_path, 20 + k)
        server.contents[f"/media{REPOSITORY}/master/AudioWAV/{name}"] = content
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{hashlib.sha256(content).hexdigest()}\n"
        server.contents[f"{REPOSITORY}/master/AudioWAV/{name}"] = f"{pointer}size {len(content)}\n".encode()

    for k, (corpus, paths) in enumerate(OTHER_LANGUAGES.items()):
        others = ("README.md", CREMA_D[0])  # no recordings of this corpus
        tree = [{"path": name, "type": "blob", "size": 999, "sha": "0"} for name in others]
        tree.append({"path": "x", "type": "tree"})
        for i, path in enumerate((*paths, "../" + paths[0])):
            tree.append(
                {"path": path, "type": "blob"}
                | github_file(server, corpus, path, recording(tmp_path, 40 + k + 9 * i), i)
            )
        server.contents[trees_of(corpus)] = json.dumps({"tree": tree, "truncated": False}).encode()

    entries = []
    for k, name in enumerate((*TESS, "readme.txt", "../YAF_dog_sad.wav")):
        content = recording(tmp_path, 30 + k)
        server.contents[f"/api/access/datafile/{k}"] = content
        data = {"id": k, "filesize": len(content), "md5": hashlib.md5(content).hexdigest()}
        data["checksum"] = {"type": "MD5", "value": data["md5"]}
        entries.append({"label": name, "dataFile": data})
    listing = "/api/datasets/:persistentId/versions/:latest-published/files?persistentId=doi:10.5683/SP2/E8H2MF"
    server.contents[listing] = json.dumps({"status": "OK", "data": entries}).encode()
    (tmp_path / "made.wav").unlink()
    return server


def is_recording(path: str) -> bool:
    """Whether the content at a path is a recording or an archive, not a listing or a pointer."""
    in_git = "/HEAD/" in path and path.endswith(".wav") and not path.startswith("/media/")
    return any(part in path for part in ("/media/", "/content", "datafile")) or in_git


def got(name: str, root: Path) -> list[tuple[int, int]]:
    root.mkdir(exist_ok=True)
    progress = []
    download_corpus(name, root, lambda *numbers: progress.append(numbers))
    return progress


def test_downloaded_corpora_are_readable(homes, tmp_path):
    root = tmp_path / "corpora"
    for name in CORPUS_SOURCES:
        progress = got(name, root)
        assert sum(came for came, _ in progress) == sum(to_come for _, to_come in progress) > 0
    found = read_corpora(root)
    assert Counter(u.corpus for u in found.utterances) == {
        "ravdess": 4,
        "ravdess_song": 1,
        "crema_d": 3,
        "tess": 3,
        **dict.fromkeys(OTHER_LANGUAGES, 2),
    }
    assert not found.unrecognised and not found.excluded
    assert all(utterance.path.read_bytes().startswith(b"RIFF") for utterance in found.utterances)  # and no pointer
    assert not list(root.rglob("*.zip")) and not list(root.rglob("*.partial")) and not list(tmp_path.glob("*.wav"))


@pytest.mark.parametrize("name", CORPUS_SOURCES)
def test_nothing_is_downloaded_twice(homes, tmp_path, name):
    root = tmp_path / "corpora"
    got(name, root)
    homes.requests.clear()
    assert sum(came for came, _ in got(name, root)) == 0
    assert not [path for path, _ in homes.requests if is_recording(path)]


def test_an_archive_that_a_kill_left_behind_is_deleted(homes, tmp_path):
    root = tmp_path / "corpora"
    got("ravdess", root)
    left = root / ".download" / "ravdess.zip"
    left.write_bytes(b"unpacked before the kill")
    got("ravdess", root)
    assert not left.exists() and (root / "ravdess").is_dir()


def test_an_archive_whose_unpacking_was_interrupted_is_not_downloaded_again(homes, tmp_path):
    archive = tmp_path / "corpora" / ".download" / "ravdess.zip"
    archive.parent.mkdir(parents=True)
    (content,) = (content for path, content in homes.contents.items() if "Audio_Speech" in path)
    archive.write_bytes(content)
    got("ravdess", tmp_path / "corpora")
    assert not [path for path, _ in homes.requests if "Audio_Speech" in path]
    assert len(read_corpora(tmp_path / "corpora").utterances) == 5


def test_after_an_error_no_further_files_are_downloaded(server, tmp_path, monkeypatch):
    monkeypatch.setattr("ser_core.data.sources.recordings.N_PARALLEL_DOWNLOADS", 1)
    files = [RemoteFile(f"{k}.wav", f"{server.address}/{k}.wav", 9, "md5", "0") for k in range(50)]
    with pytest.raises(DownloadError, match="404"):
        download_files(files, tmp_path, tmp_path / "tess", lambda *numbers: None)
    assert len(server.requests) < len(files)


@pytest.mark.parametrize("name", CORPUS_SOURCES)
def test_progress_comes_in_the_thread_of_the_caller(homes, tmp_path, name):
    """A bar that fails in one thread, since nobody reads it any more, keeps its lock from all others."""
    threads = set()
    download_corpus(name, tmp_path, lambda *numbers: threads.add(threading.current_thread()))
    assert threads == {threading.main_thread()}


@pytest.mark.parametrize("name", CORPUS_SOURCES)
def test_an_interrupted_download_is_resumed(homes, tmp_path, name):
    root = tmp_path / "corpora"
    own = GITHUB_CORPORA.get(name, "")
    heavy = [path for path in homes.contents if is_recording(path) and own in path]
    kept = {path: homes.contents.pop(path) for path in heavy[1:] if "Audio_Speech" not in path}
    with pytest.raises(DownloadError, match="404"):
        got(name, root)
    homes.contents |= kept
    got(name, root)
    n_files = {"ravdess": 5, "crema_d": 3, "tess": 3}.get(name, 2)
    assert len(read_corpora(root).utterances) == n_files


@pytest.mark.parametrize("name", CORPUS_SOURCES)
def test_free_space_is_checked_before_writing(homes, tmp_path, name, monkeypatch):
    monkeypatch.setattr("ser_core.data.downloads.MIN_FREE_BYTES", 10**18)
    with pytest.raises(DownloadError, match="--to"):
        got(name, tmp_path / "corpora")
    assert not list((tmp_path / "corpora").iterdir())


def test_an_archive_needs_space_for_its_content_too(homes, tmp_path, monkeypatch):
    archives = sum(len(content) for path, content in homes.contents.items() if path.endswith("/content"))
    free = MIN_FREE_BYTES + 2 * archives
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=free))
    with pytest.raises(DownloadError, match="disk space"):
        got("ravdess", tmp_path / "corpora")
    assert not [path for path, _ in homes.requests if is_recording(path)]


@pytest.mark.parametrize("name", CORPUS_SOURCES)
@pytest.mark.parametrize(
    "answer", [b"{}", b'{"tree": 1, "files": 1, "data": 1}', b'{"tree": [], "files": [], "data": []}']
)
def test_a_changed_service_is_an_error(homes, tmp_path, name, answer):
    for path, content in homes.contents.items():
        if content.startswith(b"{"):
            homes.contents[path] = answer
    with pytest.raises(DownloadError):
        got(name, tmp_path / "corpora")


@pytest.mark.parametrize("name", ["ravdess", "tess"])
def test_an_unknown_checksum_algorithm_is_an_error_before_the_download(homes, tmp_path, name):
    for path, content in homes.contents.items():
        if content.startswith(b"{"):
            homes.contents[path] = content.replace(b"md5:", b"unf:").replace(b'"MD5"', b'"UNF"')
    with pytest.raises(DownloadError, match="format"):
        got(name, tmp_path / "corpora")
    assert len(homes.requests) == 1


def test_an_empty_listing_is_an_error(homes, tmp_path):
    homes.contents[f"/repos{REPOSITORY}/git/trees/5ha"] = b'{"tree": []}'
    with pytest.raises(DownloadError, match="no recordings"):
        got("crema_d", tmp_path / "corpora")


@pytest.mark.parametrize("name", ["crema_d", *OTHER_LANGUAGES])
def test_a_truncated_listing_is_an_error(homes, tmp_path, name):
    path = f"/repos{REPOSITORY}/git/trees/5ha" if name == "crema_d" else trees_of(name)
    homes.contents[path] = json.dumps(json.loads(homes.contents[path]) | {"truncated": True}).encode()
    with pytest.raises(DownloadError, match="list"):
        got(name, tmp_path / "corpora")


@pytest.mark.parametrize("name", OTHER_LANGUAGES)
def test_paths_that_lead_out_of_the_folder_are_not_written(homes, tmp_path, name):
    got(name, tmp_path / "corpora")
    written = [path.relative_to(tmp_path / "corpora" / name).as_posix() for path in tmp_path.rglob("*.wav")]
    assert sorted(written) == sorted(OTHER_LANGUAGES[name])


@pytest.mark.parametrize("name", OTHER_LANGUAGES)
def test_a_repository_without_recordings_is_an_error_with_the_cure(homes, tmp_path, name):
    entry = {"path": "dataset.zip", "type": "blob", "size": 10**6, "sha": "0"}
    homes.contents[trees_of(name)] = json.dumps({"tree": [entry]}).encode()
    with pytest.raises(DownloadError, match="unpack"):
        got(name, tmp_path / "corpora")


def test_a_damaged_file_of_a_repository_is_not_kept(homes, tmp_path, monkeypatch):
    monkeypatch.setattr("ser_core.data.downloads.INITIAL_BACKOFF_S", 0)
    path = f"/{GITHUB_CORPORA['turev']}/HEAD/{quote(OTHER_LANGUAGES['turev'][1])}"
    homes.contents[path] = homes.contents[path][:-1] + b"x"
    with pytest.raises(DownloadError, match="checksum"):
        got("turev", tmp_path / "corpora")
    assert not (tmp_path / "corpora" / "turev" / OTHER_LANGUAGES["turev"][1]).exists()


def test_a_file_that_is_not_a_pointer_is_an_error(homes, tmp_path):
    homes.contents[f"{REPOSITORY}/master/AudioWAV/{CREMA_D[0]}"] = b"RIFF"
    with pytest.raises(DownloadError, match="pointer"):
        got("crema_d", tmp_path / "corpora")


# --- the command -----------------------------------------------------------------------------------------------------


@pytest.fixture
def command(homes, tmp_path):
    """Function that runs the command against the local servers."""
    return lambda *arguments: download_corpora.main([*arguments, "--to", str(tmp_path / "corpora")])


def test_the_licence_is_shown_and_must_be_accepted(command, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("builtins.input", lambda question: "no")
    assert command("tess") == 2
    said = capsys.readouterr()
    assert CORPUS_SOURCES["tess"].licence in said.out and "not accepted" in said.err
    with pytest.raises(CorpusError):
        read_corpora(tmp_path / "corpora")
    monkeypatch.setattr("builtins.input", lambda question: "Yes ")
    assert command("tess") == 0
    assert "TESS: 3 recordings" in capsys.readouterr().out


def test_without_a_terminal_no_licence_is_accepted(command, monkeypatch):
    def nobody(question):
        raise EOFError

    monkeypatch.setattr("builtins.input", nobody)
    assert command("tess") == 2


def test_all_at_once_without_questions(command, capsys):
    assert command("ravdess", "crema_d", "tess", "--accept-licence") == 0
    said = capsys.readouterr().out
    for line in ("RAVDESS speech: 4", "RAVDESS song: 1", "CREMA-D: 3", "TESS: 3"):
        assert line in said


@pytest.mark.parametrize("name", DOWNLOAD_INSTRUCTIONS)
def test_corpora_without_a_download_print_instructions(command, capsys, name):
    assert command(name) == 2
    assert re.search(r"http.*\n.*layout", capsys.readouterr().out)


def test_a_corpus_got_by_hand_is_found(command, capsys, tmp_path):
    write_wav(tmp_path / "corpora" / "AudioData" / "DC" / "a01.wav", voice(150, 0))
    assert command("savee") == 0
    out = capsys.readouterr().out
    assert "http" not in out and "SAVEE: 1 recordings" in out


def test_a_reader_that_has_enough_ends_it_quietly(command, monkeypatch, capfd):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as output, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", output)
        assert command("emovo") == 1
    assert "cannot be written" not in capfd.readouterr().err


def test_errors_are_printed_in_one_line(command, homes, capsys, monkeypatch, tmp_path):
    homes.contents.clear()
    assert command("tess", "--accept-licence") == 2
    assert "404" in capsys.readouterr().err
    (tmp_path / "file").touch()
    assert download_corpora.main(["tess", "--accept-licence", "--to", str(tmp_path / "file" / "x")]) == 2
    assert "--to" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        command("unheard-of")
