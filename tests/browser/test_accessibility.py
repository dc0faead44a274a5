"""axe-core over every page, in both themes: nothing serious, nothing critical."""

from importlib import resources

import pytest

from tests.browser.steps import settle

AXE = (resources.files("axe_playwright_python") / "axe.min.js").read_text()
PAGES = (
    "",
    "clip",
    "clip?sample=1006_IOM&model=prosonet",
    "clip?sample=1006_IOM&model=prosonet&view=over_time",
    "clip?sample=1006_IOM&model=prosonet&view=why",
    "clip?sample=1006_IOM&model=prosonet&view=models&models=prosonet",
    "clip?sample=1006_IOM&model=prosonet&view=map",
    "clip?sample=1006_IOM&model=prosonet&view=voice",
    "my_voice",
    "many_files",
    "live",
    "listening_test",
    "models",
    "data_explorer",
    "learn",
    "training",
    "settings",
)
GRAVE = ("serious", "critical")
DRAWN_MS = 1500  # charts are drawn after the script of a page has ended
RUN = """async () => {
  const { violations } = await axe.run(document, { resultTypes: ["violations"] });
  return violations.map(({ id, impact, nodes }) => [impact, id, nodes.map((n) => `${n.target}`).slice(0, 5)]);
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_finding(new_page, app_url, scheme):
    page, found = new_page("about:blank", color_scheme=scheme), {}
    for path in PAGES:
        page.goto(f"{app_url}/{path}")
        page.locator("h1").first.wait_for()
        page.wait_for_timeout(DRAWN_MS)
        settle(page)
        page.evaluate(AXE)
        if grave := [row for row in page.evaluate(RUN) if row[0] in GRAVE]:
            found[path] = grave
    assert not found, "\n".join(f"{path}: {row}" for path, rows in found.items() for row in rows)
