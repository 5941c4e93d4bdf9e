// Keys for whoever would rather not reach for a pointer; every page works without this file.
"use strict";
(() => {
  const KEYS = [
    ["/", "go to the filter, or to the SQL"],
    ["j", "next row"],
    ["k", "row before"],
    ["Enter", "open the row"],
    ["Ctrl Enter", "run the SQL"],
    ["?", "show these keys"],
    ["Esc", "leave a field, close this list"],
  ];
  const FILTER = '[data-testid="filter-identity"], [data-testid="sql-box"], main input[type="search"]';

  const isTyping = (at) =>
    at instanceof HTMLElement &&
    (at.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(at.tagName));

  // The first link of each row that has one, in the order of the page; what is folded is passed over.
  const links = () =>
    [...document.querySelectorAll("main tbody tr")]
      .filter((row) => row.closest("details:not([open])") === null)
      .map((row) => row.querySelector("a[href]"))
      .filter(Boolean);

  const move = (by) => {
    const all = links();
    if (all.length === 0) return false;
    const row = document.activeElement && document.activeElement.closest("tr");
    const here = all.findIndex((link) => link.closest("tr") === row);
    const first = by > 0 ? 0 : all.length - 1;
    const next = here < 0 ? first : Math.min(Math.max(here + by, 0), all.length - 1);
    all[next].focus();
    all[next].closest("tr").scrollIntoView({ block: "nearest" });
    return true;
  };

  const toFilter = () => {
    const field = document.querySelector(FILTER);
    if (!field) return false;
    field.focus();
    field.select();
    return true;
  };

  const element = (name, text) => {
    const made = document.createElement(name);
    if (text) made.textContent = text;
    return made;
  };

  let help = null;
  const showKeys = () => {
    if (help === null) {
      help = element("dialog");
      help.className = "keys";
      help.setAttribute("aria-label", "Keys");
      const list = element("dl");
      for (const [key, what] of KEYS) {
        const term = element("dt");
        term.append(element("kbd", key));
        list.append(term, element("dd", what));
      }
      const form = element("form");
      form.method = "dialog";
      form.append(element("button", "Close"));
      help.append(element("h2", "Keys"), list, form);
      document.body.append(help);
    }
    if (!help.open) help.showModal();
    return true;
  };

  const ACTIONS = { "/": toFilter, j: () => move(1), k: () => move(-1), "?": showKeys };

  document.addEventListener("keydown", (event) => {
    const at = event.target;
    if (event.isComposing || event.altKey || event.metaKey) return;
    if (isTyping(at)) {
      if (event.key === "Escape") at.blur();
      const isRun = event.ctrlKey && event.key === "Enter" && at.tagName === "TEXTAREA";
      if (isRun && at.form) at.form.requestSubmit();
      return;
    }
    if (event.ctrlKey || (help !== null && help.open)) return;
    const act = Object.hasOwn(ACTIONS, event.key) ? ACTIONS[event.key] : null;
    if (act && act()) event.preventDefault();
  });
})();
