"""Attribution methods on the view "Why": each is tested on this clip, and one that passes is preferred."""

from pages.ui.model_picker import get_model
from pages.workspace.why import state
from pages.workspace.why.state import ExplainedWindow
from ser_core.interpret import (
    EXPECTED_GRADIENTS,
    GRAD_CAM,
    INTEGRATED_GRADIENTS,
    OCCLUSION,
    OCCLUSION_PATCH_BANDS,
    OCCLUSION_PATCH_S,
    SELF_ATTENTION,
    SILENCED_SPAN_S,
    SILENCING,
    AttributionTarget,
    FaithfulnessCurves,
    attribution_methods,
)

N_TESTS = 2
ABOUT = {
    GRAD_CAM: "Grad-CAM (Selvaraju et al. 2017): which regions of the last feature map raised the score. Quick and "
    "coarse, as that map has few cells.",
    OCCLUSION: f"Occlusion (Zeiler & Fergus 2014): the loss of score when a patch of "
    f"{OCCLUSION_PATCH_BANDS} bands and {OCCLUSION_PATCH_S:g} s takes the mean level of its bands.",
    INTEGRATED_GRADIENTS: "Integrated gradients (Sundararajan et al. 2017): what each cell adds on the way from "
    "silence to this sound. Fine, and grainy.",
    EXPECTED_GRADIENTS: "Expected gradients (Erion et al. 2021): what each part adds on the way from a randomly masked "
    "spectrogram to this sound. It works with every network.",
    SELF_ATTENTION: "How often the model's self-attention looks at each moment: the mean over its heads, "
    "1 is the average. It is the same for every emotion: it shows where the model looked, not what for.",
    SILENCING: f"What the score loses when {SILENCED_SPAN_S:g} s of the sound fall silent. It works with every "
    "model but does not separate frequencies.",
}


def describe_limits(model: str) -> str:
    """Why other methods are missing for a model, or ""."""
    if GRAD_CAM in attribution_methods(get_model(model)):
        return ""
    return f" {GRAD_CAM} and occlusion need a convolutional network over a spectrogram, which {model} is not."


def preferred(explained: ExplainedWindow, question: AttributionTarget) -> str:
    """The first method that passed its tests; while none has, the best tested one; before any test, the fastest."""
    tested = _tested(explained, question)
    passing = [method for method, curves in tested.items() if curves.n_passed == N_TESTS]
    if passing:
        return passing[0]
    if tested:
        return max(tested, key=lambda method: (tested[method].n_passed, sum(tested[method].gains)))
    return attribution_methods(get_model(explained.model))[0]


def measure(explained: ExplainedWindow, method: str, question: AttributionTarget) -> FaithfulnessCurves:
    """The tests of one method; random maps are shared among maps of one shape."""
    found = state.explanation(explained, method, question)
    same = [
        curves
        for other, curves in _tested(explained, question).items()
        if state.explanation(explained, other, question).relevance.shape == found.relevance.shape
    ]
    return state.faithfulness_curves(explained, found, question, same[0] if same else None)


def try_next(explained: ExplainedWindow, question: AttributionTarget) -> bool:
    """While no method has passed, tests the next one; whether there was one."""
    tested = _tested(explained, question)
    if any(curves.n_passed == N_TESTS for curves in tested.values()):
        return False
    rest = [method for method in attribution_methods(get_model(explained.model)) if method not in tested]
    if rest:
        measure(explained, rest[0], question)
    return bool(rest)


def badge(explained: ExplainedWindow, method: str, question: AttributionTarget) -> str:
    """The name of a method with its result on this clip."""
    curves = _tested(explained, question).get(method)
    if curves is None:
        return f"{method} (not tested yet)"
    mark = {N_TESTS: "✓", 0: "✗"}.get(curves.n_passed, "~")
    return f"{mark} {method} (passes {curves.n_passed} of {N_TESTS} tests)"


def _tested(explained: ExplainedWindow, question: AttributionTarget) -> dict[str, FaithfulnessCurves]:
    known = attribution_methods(get_model(explained.model))
    found = {method: state.known_curves(explained, method, question) for method in known}
    return {method: curves for method, curves in found.items() if curves is not None}
