// The page scrolls by key once it has the focus: a ring says so where Tab led there, not after any click.
if (!window.serTab) {
  window.serTab = true;
  document.addEventListener("keydown", ({ key }) => { if (key === "Tab") document.body.dataset.byTab = ""; }, true);
  document.addEventListener("pointerdown", () => { delete document.body.dataset.byTab; }, true);
}

// On a phone the list of pages covers the page: a choice closes it, which Streamlit does not do.
if (!window.serMenu) {
  window.serMenu = true;
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("[data-testid=stSidebarNavLink]");
    const close = document.querySelector("[data-testid=stSidebarCollapseButton] button");
    if (link && close && window.innerWidth < 768) setTimeout(() => close.click());
  });
}

// A popover stands at the end of the document, many steps of Tab from the button that opens it: the keyboard
// goes there at once, and back with Escape.
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

// Popovers, dialogs and tooltips hang outside the app, which alone has the colour scheme that light-dark() asks for.
if (!window.serColours) {
  window.serColours = true;
  const app = document.querySelector(".stApp");
  const follow = () => { document.body.style.colorScheme = getComputedStyle(app).colorScheme; };
  new MutationObserver(follow).observe(app, { attributes: true, attributeFilter: ["class"] });
  follow();
}
