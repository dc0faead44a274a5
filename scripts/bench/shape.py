"""Measures the shape of the source tree: files per folder, import chains, circles, arrows between rooms, faces.

python -m scripts.bench.shape                        this tree
python -m scripts.bench.shape b3d3728                that commit and this tree
python -m scripts.bench.shape b3d3728 --write        the same, as the table of docs/architecture.md

A room is a package or a module directly in ser_core/ or pages/. Imports inside functions count.
"""

import ast
import io
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from pathlib import Path

import networkx as nx

from scripts.common.flags import command_parser
from scripts.common.tables import fill_blocks
from ser_core import paths

PARTS = ("ser_core", "pages", "scripts")
OPEN_MODULES = {"labels", "metrics", "paths", "threads", "progress"}  # the lowest rung: single modules, their own face
PAGE = paths.ROOT / "docs" / "architecture.md"


Shape = dict[str, int]
"""Title -> figure of one tree, in the order of the table."""


def read_tree(root: Path) -> dict[str, ast.Module]:
    """Module -> its source, of ser_core, pages, scripts and app.py; a package is named by its folder."""
    files = [root / "app.py", *(path for part in PARTS for path in sorted((root / part).rglob("*.py")))]
    return {_module_name(path.relative_to(root)): ast.parse(path.read_text()) for path in files if path.is_file()}


def _module_name(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def read_faces(root: Path) -> dict[str, dict[str, str]]:
    """Package -> the names it declares in its __init__.pyi, each with the module that defines it."""
    return {
        _module_name(path.relative_to(root).with_suffix(".py")): _declared(path)
        for path in (root / "ser_core").rglob("__init__.pyi")
    }


def _declared(path: Path) -> dict[str, str]:
    lines = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.ImportFrom)]
    return {alias.name: line.module for line in lines for alias in line.names}


def imported_names(tree: ast.Module) -> list[str]:
    """Names with dots, of imports anywhere in a module: `from a.b import c` is a.b.c."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


def defining_module(name: str, modules: dict, faces: dict) -> str | None:
    """The module that an imported name comes from, also through a face; None for other libraries."""
    parent, _, last = name.rpartition(".")
    if last in faces.get(parent, {}):
        return defining_module(f"{parent}.{faces[parent][last]}.{last}", modules, faces)
    return next((module for module in (name, parent) if module in modules), None)


def import_graph(modules: dict[str, ast.Module], faces: dict) -> nx.DiGraph:
    """An edge from each module to those it imports from."""
    graph = nx.DiGraph()
    graph.add_nodes_from(modules)
    for module, tree in modules.items():
        targets = {defining_module(name, modules, faces) for name in imported_names(tree)} - {None, module}
        graph.add_edges_from((module, target) for target in targets)
    return graph


def longest_chain(graph: nx.DiGraph) -> int:
    """Modules on the longest way along imports; those of a circle count each."""
    condensed = nx.condensation(graph)
    depth: dict[int, int] = {}
    for group in reversed(list(nx.topological_sort(condensed))):
        below = max((depth[target] for target in condensed.successors(group)), default=0)
        depth[group] = below + len(condensed.nodes[group]["members"])
    return max(depth.values(), default=0)


def room(module: str) -> str | None:
    """`ser_core.audio` for ser_core.audio.io; None for what is in neither ser_core nor pages."""
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] in ("ser_core", "pages") and len(parts) > 1 else None


def names_past_a_face(modules: dict[str, ast.Module], faces: dict[str, dict]) -> set[str]:
    """Names of ser_core that pages, scripts and app.py import although no face declares them."""
    outside = [tree for module, tree in modules.items() if not module.startswith("ser_core")]
    return {
        name
        for tree in outside
        for name in imported_names(tree)
        if name.startswith("ser_core.") and not _is_declared(name, faces)
    }


def _is_declared(name: str, faces: dict[str, dict]) -> bool:
    parent, _, last = name.rpartition(".")
    return last in faces.get(parent, {}) or name.split(".")[1] in OPEN_MODULES


def measure_shape(root: Path) -> Shape:
    """The figures of the tree below a folder."""
    modules, faces = read_tree(root), read_faces(root)
    graph = import_graph(modules, faces)
    folders = Counter(str(path.parent.relative_to(root)) for part in PARTS for path in (root / part).rglob("*.py"))
    rooms = {found for module in modules if (found := room(module))}
    arrows = {(room(a), room(b)) for a, b in graph.edges if room(a) and room(b) and room(a) != room(b)}
    return {
        "Python files in ser_core, pages and scripts": folders.total(),
        "files in the largest folder of `ser_core/` and `pages/`": max(
            (n for name, n in folders.items() if not name.startswith("scripts")), default=0
        ),
        "files directly in `ser_core/`": folders["ser_core"],
        "files directly in `pages/`": folders["pages"],
        "files directly in `scripts/`, a command each": folders["scripts"],
        "longest import chain, modules": longest_chain(graph),
        "import circles": sum(len(group) > 1 for group in nx.strongly_connected_components(graph)),
        "rooms": len(rooms),
        "arrows between rooms": len(arrows),
        "names of ser_core that pages and scripts import past a face": len(names_past_a_face(modules, faces)),
        "names declared in `.pyi` faces": sum(map(len, faces.values())),
    }


def measure_commit(commit: str) -> Shape:
    """The figures of a commit.

    Raises:
        CalledProcessError: git does not know it.
    """
    archive = subprocess.run(["git", "archive", commit], cwd=paths.ROOT, capture_output=True, check=True).stdout
    with tempfile.TemporaryDirectory() as folder, tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(folder, [m for m in tar if m.name.endswith((".py", ".pyi"))], filter="data")
        return measure_shape(Path(folder))


def shape_table(columns: dict[str, Shape]) -> str:
    """A Markdown table, one column for each tree."""
    rows = ((title, *(shape[title] for shape in columns.values())) for title in next(iter(columns.values())))
    lines = [("", *columns), ("---",) * (len(columns) + 1), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def main(arguments: list[str] | None = None) -> int:
    parser = command_parser(__doc__)
    parser.add_argument("commit", nargs="?", help="compare this commit with the tree")
    parser.add_argument("--write", action="store_true", help="write the table into docs/architecture.md")
    options = parser.parse_args(arguments)
    try:
        before = {f"`{options.commit}`": measure_commit(options.commit)} if options.commit else {}
    except subprocess.CalledProcessError as error:
        print(error.stderr.decode().strip(), file=sys.stderr)
        return 2
    table = shape_table(before | {"now": measure_shape(paths.ROOT)})
    print(table)
    if options.write:
        paths.write_text(PAGE, fill_blocks(PAGE.read_text(), {"shape": table}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
