"""Hook of mkdocs: adds the files outside docs/ that the pages link to, and points their links to the site.

README, changelog, model cards and pictures keep their places in the repository, where GitHub shows them.
"""

import re
from pathlib import Path, PurePosixPath
from posixpath import normpath, relpath

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"(\]\()(?!\w+:|#)([^)\s#]+)")
OUTSIDE = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "CITATION.cff", "LICENSE")
HOME = "index.md"


def _outside_files() -> list[str]:
    """Paths in the repository of all files that are added."""
    found = [*ROOT.glob("checkpoints/*/README.md"), *ROOT.glob("assets/screenshots/*.png")]
    return [*OUTSIDE, *sorted(path.relative_to(ROOT).as_posix() for path in found)]


def _site_path(repository_path: str) -> str:
    """README.md -> index.md, docs/results.md -> results.md, checkpoints/x/README.md -> cards/x.md."""
    parts = PurePosixPath(repository_path).parts
    if repository_path == "README.md":
        return HOME
    if parts[0] == "docs":
        return "/".join(parts[1:])
    return f"cards/{parts[1]}.md" if parts[0] == "checkpoints" else repository_path


REPOSITORY_PATHS = {_site_path(path): path for path in _outside_files()}


def on_files(files: Files, config) -> Files:
    """Adds the outside files under their path in the site."""
    for site_path, path in REPOSITORY_PATHS.items():
        files.append(File.generated(config, site_path, abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page, **_) -> str:
    """Rewrites relative links between repository files as links between pages of the site."""
    here = page.file.src_uri
    folder = PurePosixPath(REPOSITORY_PATHS.get(here, f"docs/{here}")).parent

    def rewrite(found: re.Match) -> str:
        target = _site_path(normpath(str(folder / found[2])))
        return found[1] + relpath(target, PurePosixPath(here).parent)

    return LINK.sub(rewrite, markdown)
