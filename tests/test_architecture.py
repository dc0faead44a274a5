"""The shape of the house, read from the source: who knows whom, and what may never be written."""

import ast
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
LADDER = (
    "threads paths labels metrics progress | audio | data | models | inference | "
    "training interpret | evaluation | plots | serving"
)
"""A package imports only what stands further left, and of another package only its face."""
RUNG = {name: i for i, rung in enumerate(LADDER.split(" | ")) for name in rung.split()}
MOST_FILES = 15  # Python files in a folder
SERVERS = {"gradio", "fastapi", "starlette"}
BANNED = {
    "ser_core": {"streamlit", "argparse", "sounddevice", "scripts", "pages", *SERVERS},
    "scripts": {"streamlit", "pages"},
    "pages": {"torch", "librosa", "soundfile", "scripts", "tempfile"},  # the last: no upload is written to disk
    "app": {"torch", "librosa", "soundfile", "scripts"},
}
ALLOWED = {"ser_core.serving": SERVERS, "scripts.serve": {"streamlit"}}  # of what is banned around them
OPTIONAL = {"dask", "distributed", "sounddevice"}  # the program starts without them: imported where they are used
PICKLES = {"pickle", "joblib", "dill", "cloudpickle", "shelve", "marshal"}


@lru_cache(maxsize=1)
def sources() -> dict[str, ast.Module]:
    """Module -> its syntax tree; read once, by the worker that runs these tests."""
    folders = (ROOT / part for part in ("ser_core", "scripts", "pages"))
    files = [ROOT / "app.py", *(path for folder in folders for path in folder.rglob("*.py"))]
    return {".".join(path.relative_to(ROOT).with_suffix("").parts): ast.parse(path.read_text()) for path in files}


@lru_cache(maxsize=1)
def faces() -> dict[str, set[str]]:
    """Package -> the names that others may import."""
    return {
        path.parent.name: {alias.name for node in ast.parse(path.read_text()).body for alias in node.names}
        for path in (ROOT / "ser_core").glob("*/__init__.pyi")
    }


def imports(tree: ast.AST):
    """Every imported name with dots: `from a.b import c` is a.b.c."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def called(tree: ast.AST):
    """(name with dots, call) of every call."""
    return ((ast.unparse(node.func), node) for node in ast.walk(tree) if isinstance(node, ast.Call))


def import_faults(name: str, tree: ast.AST):
    top, *inner = name.split(".")
    banned = BANNED[top] - ALLOWED.get(".".join([top, *inner[:1]]), set()) | PICKLES
    for imported in imports(tree):
        root, *rest = imported.split(".")
        if root in banned or (root == "ser_core" and any(part.startswith("_") for part in rest)):
            yield f"imports {imported}"
        if root == "ser_core" and rest and rest[0] in faces() and (top, inner[:1]) != (root, rest[:1]):
            yield from face_faults(rest)
        if top == root == "pages" and rest and inner[:1] != rest[:1] != ["ui"]:
            yield f"{'.'.join(inner)} must not import {imported}"
        if top == root == "pages" and inner[0] == rest[0] == "workspace" and other_view(inner, rest):
            yield f"{'.'.join(inner)} must not import {imported}"
        if top == root == "ser_core" and rest and climbs(inner[0], rest[0]):
            yield f"{inner[0]} must not import {rest[0]}"


def other_view(inner: list[str], rest: list[str]) -> bool:
    """Whether one view of the workspace imports another."""
    here, there = inner[1:2], rest[1:2]
    return here != there and all(part and (ROOT / "pages" / "workspace" / part[0]).is_dir() for part in (here, there))


def climbs(importer: str, imported: str) -> bool:
    """Whether a package of ser_core imports one that does not stand further left."""
    if importer == imported or not {importer, imported} <= RUNG.keys():
        return False
    return 0 < RUNG[imported] >= RUNG[importer]


def face_faults(rest: list[str]):
    """Names past a face: `from ser_core.audio.io import ...`, or a module taken for a name."""
    package, *names = rest
    if len(names) != 1 or names[0] not in faces()[package]:
        yield f"imports {'.'.join(rest)} past the face of {package}"


def top_faults(tree: ast.Module):
    top = ast.Module([node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)], [])
    return (f"imports {name} at the top" for name in imports(top) if name.split(".")[0] in OPTIONAL)


def call_faults(name: str, tree: ast.AST):
    for function, call in called(tree):
        if function in ("torch.load", "torch.save", "eval", "exec") or (function == "print" and "ser_core" in name):
            yield f"calls {function}"
        plain_write = function.endswith((".write_text", ".write_bytes")) and not name.startswith("scripts.bench")
        if plain_write and function.split(".")[0] not in ("paths", "temporary"):
            yield f"{function}: a stop leaves half of the file"
        for keyword in call.keywords:
            strict_off = keyword.arg == "strict" and ast.unparse(keyword.value) == "False" and function != "zip"
            if strict_off or keyword.arg in ("trust_remote_code", "unsafe_allow_html", "allow_pickle"):
                yield f"{function}({keyword.arg}=...)"


def late_layers(tree: ast.AST):
    """Layers that are not built in `__init__`: never trained, and missing when a checkpoint is loaded."""
    classes = (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    methods = (
        node for c in classes for node in c.body if isinstance(node, ast.FunctionDef) and node.name != "__init__"
    )
    return [f for method in methods for f, _ in called(method) if f.startswith("nn.") and f[3].isupper()]


def violations(name: str, tree: ast.AST) -> list[str]:
    return [*import_faults(name, tree), *top_faults(tree), *call_faults(name, tree), *late_layers(tree)]


def test_every_module_has_its_place():
    assert {name.split(".")[1] for name in sources() if name.startswith("ser_core.")} == {"__init__", *RUNG}


def test_house_rules():
    faults = {name: found for name, tree in sources().items() if (found := violations(name, tree))}
    assert not faults


def test_no_circle():
    """Over all imports, also those inside functions: a circle is one even when it loads."""
    graph = {
        name: {target for line in imports(tree) if (target := module_of(line))} for name, tree in sources().items()
    }
    assert not circle(graph)
    graph["ser_core.labels"] = {"ser_core.metrics"}
    graph["ser_core.metrics"] = {"ser_core.labels"}
    assert set(circle(graph)) == {"ser_core.labels", "ser_core.metrics"}


def module_of(imported: str) -> str | None:
    """The file that an imported name stands in; a name of a face is that of no file."""
    parent = imported.rpartition(".")[0]
    return next((name for name in (imported, parent) if name in sources()), None)


def circle(graph: dict[str, set[str]]) -> list[str]:
    """The modules that are left when those that import none, or that none imports, are taken away repeatedly."""
    left = {name: targets - {name} for name, targets in graph.items()}
    while free := [name for name in left if not left[name] & left.keys() or name not in set().union(*left.values())]:
        for name in free:
            del left[name]
    return list(left)


def test_no_folder_is_crowded():
    folders = [path.parent for part in ("ser_core", "pages", "tests") for path in (ROOT / part).rglob("*.py")]
    assert not {str(folder.relative_to(ROOT)) for folder in folders if folders.count(folder) > MOST_FILES}


def test_the_rules_catch(subtests):
    for name, line in [
        ("ser_core.audio.features", "from ser_core.models import SERModel"),
        ("ser_core.models.base", "from ser_core.inference import predict"),
        ("ser_core.training.trainer", "from ser_core.inference.prediction.predict import predict"),
        ("scripts.train", "from ser_core.inference import prediction"),
        ("ser_core.training.trainer", "from ser_core.interpret import explain"),
        ("ser_core.audio.io", "import streamlit as st"),
        ("ser_core.audio.io", "print(1)"),
        ("ser_core.audio.io", "import fastapi"),
        ("ser_core.inference.prediction.predict", "from ser_core.serving import API"),
        ("ser_core.serving.rest", "import streamlit"),
        ("scripts.train", "import streamlit"),
        ("pages.workspace.models.view", "def f():\n    from torch import nn"),
        ("pages.workspace.models.view", "from pages.workspace.answer import view"),
        ("pages.ui.clip", "from pages.workspace.answer.view import show"),
        ("pages.learn.view", "from pages.workspace import sound"),
        ("ser_core.models.checkpoint", "model.load_state_dict(weights, strict=False)"),
        ("ser_core.models.checkpoint", "torch.load(path)"),
        ("scripts.train", "path.write_text(text)"),
        ("pages.workspace.map.voice", "import tempfile"),
        ("scripts.train", "import joblib"),
        ("scripts.live", "import sounddevice"),
        ("ser_core.inference.archive.executors", "from distributed import Client"),
        ("ser_core.inference.streaming.session", "def f():\n    import sounddevice"),
        ("pages.workspace.models.view", "st.markdown(name, unsafe_allow_html=True)"),
        ("ser_core.models.base", "class A:\n    def forward(self, x):\n        return nn.Linear(2, 2)(x)"),
    ]:
        with subtests.test(name=name, line=line):
            assert violations(name, ast.parse(line))


def test_egemaps_are_computed_by_opensmile():
    """Published reference code gives the name to statistics by librosa: what uses both says which are opensmile's."""
    for name, tree in sources().items():
        uses_librosa = any(imported.split(".")[0] == "librosa" for imported in imports(tree))
        text = ast.unparse(tree).lower()
        assert "egemaps" not in text or not uses_librosa or "opensmile" in text, name
    assert "opensmile" in set(imports(sources()["ser_core.models.zoo.egemaps.functionals"]))
