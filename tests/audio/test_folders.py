"""Every file below a folder once, in linked folders too."""

from pathlib import Path

import pytest

from ser_core.audio.folders import AUDIO_SUFFIXES, LINK_TO_KNOWN, LINK_TO_PARENT, sort_on_disk, walk_files
from ser_core.audio.io import read_audio
from tests.make_audio import FORMATS, tone


@pytest.fixture
def tree(tmp_path) -> Path:
    """plain/ and linked -> ../other_disk; links back up, to a sibling and to nothing."""
    for name in ("tree/plain/a.wav", "tree/plain/b.txt", "other_disk/deep/c.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    root = tmp_path / "tree"
    for name, target in {
        "linked": "../other_disk",
        "plain/loop": "../..",
        "again": "plain",
        "broken.wav": "gone.wav",
        "../other_disk/back": "../tree",
        "../other_disk/deep/up": "..",
    }.items():
        (root / name).symlink_to(target)
    return root


def names(root: Path, **options) -> list[str]:
    return [path.relative_to(root).as_posix() for path in walk_files(root, **options)]


def test_linked_folders_are_read_once_and_loops_are_named(tree):
    links = {}
    found = names(tree, on_link=lambda link, reason: links.update({link.relative_to(tree).as_posix(): reason}))
    assert found == ["broken.wav", "plain/a.wav", "plain/b.txt", "linked/deep/c.wav"]
    assert links == {
        "again": LINK_TO_KNOWN,
        "plain/loop": LINK_TO_PARENT,
        "linked/back": LINK_TO_PARENT,
        "linked/deep/up": LINK_TO_PARENT,
    }


def test_a_root_may_be_a_link_or_hold_only_links(tree):
    assert names(tree / "linked") == ["deep/c.wav", "back/broken.wav", "back/plain/a.wav", "back/plain/b.txt"]
    only_links = tree.parent / "only"
    only_links.mkdir()
    (only_links / "all").symlink_to(tree / "plain")
    assert names(only_links) == ["all/a.wav", "all/b.txt"]


def test_names_can_be_left_out(tree):
    assert names(tree, is_included=lambda where, name: name != "plain") == [
        *("broken.wav", "again/a.wav", "again/b.txt", "linked/deep/c.wav")
    ]


def test_names_are_sorted_with_few_in_memory():
    many = [f"{i * 7 % 50:02d}\n\udcff" for i in range(50)]
    assert list(sort_on_disk(many, n_in_memory=8)) == sorted(many) == list(sort_on_disk(many))


def test_the_suffixes_are_lower_case_and_unique():
    assert len(set(AUDIO_SUFFIXES)) == len(AUDIO_SUFFIXES)
    assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in AUDIO_SUFFIXES)


@pytest.mark.parametrize("suffix", [".aif", ".weba", ".m4v", ".mpga", ".3gp"])
def test_the_name_of_a_file_does_not_matter(suffix, tmp_path):
    path = tmp_path / f"take{suffix}"
    path.write_bytes(FORMATS["m4a"](tone(0.5, 48_000), 48_000))
    assert suffix in AUDIO_SUFFIXES and read_audio(path).notes == ()
