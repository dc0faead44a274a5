"""The shape of the house, read from the source: who knows whom, and what may never be written."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): ast.parse(path.read_text())
    for path in [
        ROOT / "app.py",
        *(p for part in ("ser_core", "scripts", "pages") for p in (ROOT / part).rglob("*.py")),
    ]
}
# Each module knows only modules further left.
ORDER = (
    *(
        "threads",
        "machine",
        "labels",
        "feedback",
        "decoding",
        "audio",
        "vad",
        "quality",
        "features",
        "augment",
        "corpora",
        "fetching",
        "sources",
        "protocols",
        "store",
        "prosody",
        "statistics",
        "sounds",
        "muon",
        "novelty",
        "placing",
        "projection",
        "tensorboard",
        "queue",
        "handover",
    ),
    *(
        "models",
        "cost",
        "metrics",
        "checkpoint",
        "loaded",
        "inference",
        "rows",
        "archive",
        "workers",
        "export",
        "hub",
        "agreement",
        "embeddings",
        "records",
        "atlas",
        "my_voice",
        "side_tasks",
        "explain",
        "sanity",
        "masking",
        "trajectory",
        "smoothing",
        "live",
        "annotations",
        "training",
        "recipes",
        "runs",
        "experiments",
        "fitting",
        "evaluation",
        "robustness",
        "probe",
        "results",
        "folds",
        "comparison",
        "evidence",
        "figure_rows",
        "plots",
        "timeline",
        "figures",
        "explain_figures",
        "map_figures",
        "card",
        "lessons",
        "lesson_figures",
        "serving",
    ),
)
KNOWS_ONLY = {"labels": set(), "audio": {"decoding"}, "models": {"labels", "features"}}
SERVERS = {"gradio", "fastapi", "starlette"}
BANNED = {
    "ser_core": {"streamlit", "argparse", "sounddevice", "scripts", "pages", *SERVERS},
    "scripts": {"streamlit", "pages"},
    "pages": {"torch", "librosa", "soundfile", "scripts"},
    "app": {"torch", "librosa", "soundfile", "scripts"},
}
ALLOWED = {"ser_core.serving": SERVERS, "scripts.serve": {"streamlit"}}  # of what is banned around them
OPTIONAL = {"dask", "distributed", "sounddevice"}  # the program starts without them: imported where they are used
PICKLES = {"pickle", "joblib", "dill", "cloudpickle", "shelve", "marshal"}


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
        if top == root == "ser_core" and inner != ["__init__"]:
            own, other = inner[0], rest[0]
            if other != own and other not in KNOWS_ONLY.get(own, ORDER[: ORDER.index(own)]):
                yield f"{own} must not know {other}"


def top_faults(tree: ast.Module):
    top = ast.Module([node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)], [])
    return (f"imports {name} at the top" for name in imports(top) if name.split(".")[0] in OPTIONAL)


def call_faults(name: str, tree: ast.AST):
    for function, call in called(tree):
        if function in ("torch.load", "torch.save", "eval", "exec") or (function == "print" and "ser_core" in name):
            yield f"calls {function}"
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
    assert {name.split(".")[1] for name in SOURCES if name.startswith("ser_core.")} == {"__init__", *ORDER}


@pytest.mark.parametrize("name", SOURCES)
def test_house_rules(name):
    assert not violations(name, SOURCES[name])


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("ser_core.audio", "from ser_core.labels import EMOTIONS"),
        ("ser_core.features", "from ser_core.models import SERModel"),
        ("ser_core.models.base", "from ser_core.checkpoint import load_model"),
        ("ser_core.training", "from ser_core.inference import _check"),
        ("ser_core.audio", "import streamlit as st"),
        ("ser_core.audio", "print(1)"),
        ("ser_core.audio", "import fastapi"),
        ("ser_core.inference", "from ser_core.serving import API"),
        ("ser_core.serving.rest", "import streamlit"),
        ("scripts.train", "import streamlit"),
        ("pages.compare", "def f():\n    from torch import nn"),
        ("ser_core.checkpoint", "model.load_state_dict(weights, strict=False)"),
        ("ser_core.checkpoint", "torch.load(path)"),
        ("scripts.train", "import joblib"),
        ("scripts.live", "import sounddevice"),
        ("ser_core.workers", "from distributed import Client"),
        ("ser_core.live", "def f():\n    import sounddevice"),
        ("pages.compare", "st.markdown(name, unsafe_allow_html=True)"),
        ("ser_core.models.base", "class A:\n    def forward(self, x):\n        return nn.Linear(2, 2)(x)"),
    ],
)
def test_the_rules_catch(name, line):
    assert violations(name, ast.parse(line))


def test_egemaps_is_said_of_opensmile_only():
    for name, tree in SOURCES.items():
        text = ast.unparse(tree)
        assert "egemaps" not in text.lower() or "opensmile" in text, name
