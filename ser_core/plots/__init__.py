"""Plotly figures of clips, trajectories, evaluations, attributions and embedding maps; no widgets."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
