"""Layout shared by all pages. Light to import: app.py draws it before torch is there."""

import gc
import sys
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.ui.session import session

MOST_DECIMALS = 3  # of a rounded figure; a learning rate or a p-value has more, and other rows need not
SCRIPTS = Path(st.__file__).parent / "static/static/js"  # of Streamlit's own pages
CONTRAST = """<style>
button[data-selected="true"] p { color: light-dark(#2b5c8a, #9cc7ef); }
[data-testid="stCaptionContainer"], [data-testid="stCaptionContainer"] p
  { color: light-dark(#5c656e, #a5b1bd); opacity: 1 !important; }
.token.keyword { color: light-dark(#8a3d00, #ffb27a) !important; }
.token.string { color: light-dark(#14692e, #7fd39a) !important; }
.token.variable, .token.number { color: light-dark(#0b6b78, #7fd3df) !important; }
.token.comment { color: light-dark(#5c656e, #a5b1bd) !important; }
</style>"""
"""Text of Streamlit whose contrast is below 4.5:1."""
CHART_TOOLS = """<style>
.js-plotly-plot:not(:hover, :focus-within) .modebar-group:only-child { visibility: hidden; }
@media (max-width: 640px) {
  .modebar-btn[data-title^="Download plot"], .modebar-btn[data-attr="zoom"][data-val="auto"]
    { display: none !important; }
  .modebar-btn { font-size: 24px !important; padding: 6px !important; }
}
</style>"""
"""Tools above a chart: a camera alone is hidden until the pointer is there, as it stands on the figure. A phone has no
room for it, and tools of the map as large as a finger."""
TABLES = """<style>
[data-testid="stDataFrame"] { position: relative; timeline-scope: --columns; }
[data-testid="stDataFrame"] .dvn-scroller { scroll-timeline: --columns x; }
[data-testid="stDataFrame"]::after {
  content: "\\203A"; position: absolute; inset: 1px 1px 1px auto; z-index: 1; width: 2.6rem; padding: 0.1rem 0.4rem;
  box-sizing: border-box; text-align: right; font-size: 1.4rem; line-height: 1.9rem; font-weight: 600; opacity: 0;
  pointer-events: none; color: light-dark(#2b5c8a, #9cc7ef);
  background: linear-gradient(to right, transparent, light-dark(#ffffff, #11171d) 85%);
  animation: more-columns linear; animation-timeline: --columns;
}
@keyframes more-columns { from, 90% { opacity: 1 } to { opacity: 0 } }
</style>"""
"""A table wider than its place scrolls by itself: an arrow at its edge says so until the last column is in view."""
TOOLBARS = """<style>
[data-testid="stElementToolbar"]:focus-within { opacity: 1; top: -2.85rem; }
[data-testid="stElementToolbar"] button:focus-visible, [data-testid="stSidebarNavLink"]:focus-visible,
  [data-testid="stPageLink-NavLink"]:focus-visible { outline: 2px solid light-dark(#2b5c8a, #9cc7ef); }
@media (hover: none) {
  [data-testid="stElementContainer"]:has([data-testid="stDataFrame"]) { margin-top: 1.9rem; }
}
</style>"""
"""Tools above a table or picture: in sight while one has the focus, with a ring as on links. On a touch screen those of
a table are always there: they get a line of their own, or else they cover what is above and take its taps."""
MAIN_FOCUS = """<style>
[data-testid="stMain"]:focus-visible { outline: none; }
body[data-by-tab] [data-testid="stMain"]:focus-visible
  { outline: 2px solid light-dark(#2b5c8a, #9cc7ef); outline-offset: -2px; }
</style><script>
if (!window.serTab) {
  window.serTab = true;
  document.addEventListener("keydown", ({ key }) => { if (key === "Tab") document.body.dataset.byTab = ""; }, true);
  document.addEventListener("pointerdown", () => { delete document.body.dataset.byTab; }, true);
}
</script>"""
"""The page scrolls by key once it has the focus: a ring says so where Tab led there, not after any click."""
NOISE = """<style>
[data-testid="stSidebarNavSeparator"] { display: none; }
@media (hover: none) { [aria-label^="Shortcut "] { display: none; } }
</style>"""
"""A line with nothing below it, and keys where there is no keyboard."""
CLOSE_MENU = """<script>
if (!window.serMenu) {
  window.serMenu = true;
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("[data-testid=stSidebarNavLink]");
    const close = document.querySelector("[data-testid=stSidebarCollapseButton] button");
    if (link && close && window.innerWidth < 768) setTimeout(() => close.click());
  });
}
</script>"""
"""On a phone the list of pages covers the page: a choice closes it, which Streamlit does not do."""
POPOVER_FOCUS = """<script>
if (!window.serPopovers) {
  window.serPopovers = true;
  let opener;
  const within = () => document.querySelector("[data-testid=stPopoverBody]");
  const once = (ready, act, n = 40) => // a busy page opens and closes it late
    setTimeout(() => (ready() ? act() : n && once(ready, act, n - 1)), 50);
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-testid=stPopoverButton]");
    if (!button) return;
    opener = button;
    if (event.detail) return; // of the pointer
    once(() => within() && button.ariaExpanded === "true", () => {
      within().tabIndex = -1; // its first control may not be there yet: the next Tab finds it
      within().focus();
    });
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && within()?.contains(document.activeElement))
      once(() => !within(), () => opener?.focus());
  }, true);
}
</script>"""
"""A popover stands at the end of the document, many steps of Tab from the button that opens it: the keyboard goes there
at once, and back with Escape."""
POPUP_COLOURS = """<script>
if (!window.serColours) {
  window.serColours = true;
  const app = document.querySelector(".stApp");
  const follow = () => { document.body.style.colorScheme = getComputedStyle(app).colorScheme; };
  new MutationObserver(follow).observe(app, { attributes: true, attributeFilter: ["class"] });
  follow();
}
</script>"""
"""Popovers, dialogs and tooltips hang outside the app, which alone has the colour scheme that light-dark() asks for."""
PAGE_DRAWN_MS = 500  # by then the first page is, mostly
SESSION_EXPIRED = "Your session has expired: your audio and its results are deleted. Choose the recording again."


def draw_layout() -> None:
    """Draws the sidebar; called by app.py before the page."""
    _freeze_modules(len(sys.modules))
    if "session" not in st.session_state and _is_reconnection():
        st.toast(SESSION_EXPIRED, icon=":material/info:", duration="infinite")
    scripts = _plotly_preload() + CLOSE_MENU + POPOVER_FOCUS + POPUP_COLOURS + MAIN_FOCUS
    st.sidebar.html(CONTRAST + CHART_TOOLS + TABLES + TOOLBARS + NOISE + scripts, unsafe_allow_javascript=True)


@lru_cache(maxsize=1)
def _plotly_preload() -> str:
    """Lets the browser read what draws charts while nobody waits: Streamlit does so, for half a second, only when the
    first one is to be seen. Empty where its file has another name."""
    names = [path.name for path in SCRIPTS.glob("PlotlyChart.*.js")]
    own = "document.querySelector('script[type=module][src]').src"
    read = f"{names}.forEach(name => import(new URL(name, {own})))"
    return f"<script>setTimeout(() => {read}, {PAGE_DRAWN_MS})</script>" if names else ""


def _is_reconnection() -> bool:
    """Whether the browser requested a session that is over: Streamlit then starts a new one without notice.

    It names that session after the protocol and a token when it connects again, never when a page is opened.
    """
    return len(st.context.headers.get("Sec-WebSocket-Protocol", "").split(",")) > 2


@lru_cache(maxsize=1)
def _freeze_modules(n_modules: int) -> None:
    """What is imported is no garbage. Streamlit looks for some after every run: a quarter of a second among all that
    torch and plotly bring along, in which no session is served."""
    gc.collect()
    gc.freeze()


def result_place(shown: Hashable, place: str = "result") -> Callable[[], DeltaGenerator]:
    """Where the result goes: a function that gives the container, to be called when the result is there.

    A rerun leaves the previous result on the screen until the new one is drawn over it. That is right as long as both
    are the result of the same clip and settings (`shown`); otherwise the place stays empty until the call.

    Two slots take turns: Streamlit drops the message that empties a slot if one that fills it follows at once.

    Args:
        place: names it among the places of a page.
    """
    now = session()
    keep = now.source is None and now.shown.get(place) == shown
    now.shown[place] = shown
    slot = now.slots[place] = now.slots.get(place, 0) if keep else 1 - now.slots.get(place, 0)
    slots = [st.container() if keep and i == slot else st.empty() for i in range(2)]
    return (lambda: slots[slot]) if keep else slots[slot].container


def opened(label: str, key: str, expanded: bool = False) -> DeltaGenerator | None:
    """An expander whose content is drawn once it is open, None before: the browser lays out closed tables too."""
    box = st.expander(label, expanded, key=key, on_change="rerun")
    return box if box.open else None


def show_rows(rows: Sequence[dict], alt: str, columns: dict | None = None, **options: Any) -> None:
    """A table whose rounded numbers have the same decimals in all rows; what is missing is an empty cell.

    Args:
        columns: formats of single columns in place of these.
        options: of st.dataframe.
    """
    formats = same_decimals(rows) | (columns or {})
    st.dataframe(rows, hide_index=True, column_config=formats, alt=alt, **{"placeholder": ""} | options)


def same_decimals(rows: Iterable[Mapping[str, object]]) -> dict:
    """Formats of a table's columns with rounded numbers: as many decimals in each row as in the longest one.

    Streamlit drops their last zeros: 6 would stand below 4.93.
    """
    decimals: dict[str, int] = {}
    for row in rows:
        for name, value in row.items():
            if isinstance(value, float):
                decimals[name] = max(decimals.get(name, 0), _n_decimals(value))
    return {name: st.column_config.NumberColumn(format=f"%.{n}f") for name, n in decimals.items() if n <= MOST_DECIMALS}


def _n_decimals(value: float) -> int:
    digits = str(float(value))
    return len(digits.partition(".")[2]) if "e" not in digits else MOST_DECIMALS + 1
