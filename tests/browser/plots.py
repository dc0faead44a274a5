"""What tests do with a chart of plotly: only once it stands still, because Streamlit draws some of them again."""

from playwright.sync_api import expect

from tests.browser.steps import eventually, settle

# Whether it was drawn, and not once more or elsewhere, for five pictures of the browser one after the other.
STILL = """async plot => {
    const place = () => ["x", "y", "width"].map(side => plot.getBoundingClientRect()[side]).join();
    const layout = plot._fullLayout, before = place();
    for (let i = 0; i < 5; i++) await new Promise(requestAnimationFrame);
    if (!layout || plot._fullLayout !== layout || layout._replotting) return false;
    const final = { pan: "event+select", select: "event", lasso: "event" }[layout.dragmode]; // Streamlit sets it later
    return plot.isConnected && place() === before && [undefined, layout.clickmode].includes(final);
}"""
TOOL = "plot => plot._fullLayout.dragmode"
# Where points are on the screen, by the axes that plotly has drawn.
ON_SCREEN = """(plot, points) => {
    const box = plot.getBoundingClientRect(), { xaxis, yaxis } = plot._fullLayout;
    return points.map(([x, y]) => [box.left + xaxis._offset + xaxis.l2p(x), box.top + yaxis._offset + yaxis.l2p(y)]);
}"""

SEEN_MS = 5000


def drawn(page, plot) -> None:
    """Until the page has run and a chart stands still."""
    settle(page)
    expect(plot).to_have_count(1)  # while a page runs, the former one may be there as well
    assert eventually(page, lambda: plot.evaluate(STILL))


def choose(page, plot, tool: str, corners: list) -> None:
    """Draws a lasso or a box ("select"), with its corners on the axes of the chart; again where plotly saw no drag."""
    for _ in range(3):
        drawn(page, plot)
        if plot.evaluate(TOOL) != tool:
            plot.locator(f"[data-val={tool}]").click(force=True)
            assert eventually(page, lambda: plot.evaluate(TOOL) == tool)
            drawn(page, plot)
        plot.evaluate("plot => { window.chosen = false; plot.once('plotly_selected', () => { window.chosen = true }) }")
        pull(page, plot.evaluate(ON_SCREEN, corners))
        if eventually(page, lambda: page.evaluate("window.chosen"), SEEN_MS):
            return
    raise AssertionError(f"plotly saw no drag with {tool}")


def pull(page, places: list) -> None:
    """The mouse, pressed, from one place on the screen to the next."""
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=5)
    page.mouse.up()
