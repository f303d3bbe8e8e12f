"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("js");

  const theme = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";
  const nameTheme = () => { theme.textContent = isDark() ? "Light" : "Dark"; };
  theme.hidden = false;
  theme.setAttribute("aria-label", "Switch between light and dark");
  theme.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    nameTheme();
  });
  system.addEventListener("change", nameTheme);
  nameTheme();

  const byText = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" }).compare;

  function valueOf(cell) {
    return cell.dataset.v ?? cell.textContent.replaceAll(",", "").replace("−", "-");
  }

  function enhance(table) {
    const body = table.tBodies[0];
    let rows = [...body.rows];
    const texts = new Map();
    const limit = Number(table.dataset.shown);
    const filter = document.querySelector(`[data-for="${table.id}"]`);
    const all = document.querySelector(`[data-all="${table.id}"]`);
    const status = document.getElementById(`${table.id}-status`);
    let expanded = false;

    const textOf = (row) => {
      if (!texts.has(row)) texts.set(row, row.textContent.toLowerCase());
      return texts.get(row);
    };

    function update() {
      const words = (filter?.value ?? "").toLowerCase().split(/\s+/).filter(Boolean);
      let found = 0;
      let shown = 0;
      for (const row of rows) {
        const matches = words.every((word) => textOf(row).includes(word));
        found += matches;
        const visible = matches && (expanded || words.length > 0 || found <= limit);
        row.hidden = !visible;
        shown += visible;
      }
      if (!filter) return;
      const of = rows.length.toLocaleString("en");
      status.textContent = shown === rows.length ? `${of} rows` : `${shown.toLocaleString("en")} of ${of} rows`;
      all.hidden = words.length > 0 || rows.length <= limit;
      all.textContent = expanded ? `Show only ${limit}` : `Show all ${of}`;
      all.setAttribute("aria-expanded", String(expanded));
    }

    function sort(head) {
      const place = head.cellIndex;
      const numeric = head.classList.contains("n");
      const before = head.getAttribute("aria-sort");
      const first = numeric ? "descending" : "ascending";
      const second = numeric ? "ascending" : "descending";
      const order = before === first ? second : first;
      const sign = order === "ascending" ? 1 : -1;
      const keyed = rows.map((row) => {
        const value = valueOf(row.cells[place]);
        return [numeric ? (value.trim() === "" ? NaN : Number.parseFloat(value)) : value, row];
      });
      keyed.sort(([one], [two]) => {
        if (!numeric) return sign * byText(one, two);
        if (Number.isNaN(one) || Number.isNaN(two)) return Number.isNaN(one) - Number.isNaN(two);
        return one === two ? 0 : sign * (one < two ? -1 : 1);
      });
      rows = keyed.map(([, row]) => row);
      body.append(...rows);
      for (const other of head.parentNode.cells) other.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", order);
      update();
    }

    for (const head of table.tHead.rows[0].cells) {
      head.querySelector("button").addEventListener("click", () => sort(head));
    }
    filter?.addEventListener("input", update);
    all?.addEventListener("click", () => { expanded = !expanded; update(); });
    update();
  }

  for (const table of document.querySelectorAll("table[data-shown]")) enhance(table);

  // The keyboard has to reach a region only if it scrolls.
  const regions = document.querySelectorAll(".scroll");
  const mark = () => {
    for (const region of regions) {
      if (region.scrollWidth > region.clientWidth) region.tabIndex = 0;
      else region.removeAttribute("tabindex");
    }
  };
  addEventListener("resize", mark);
  mark();

  // Folded parts would be missing in print.
  addEventListener("beforeprint", () => {
    for (const fold of document.querySelectorAll("details.fold")) fold.open = true;
  });
})();
