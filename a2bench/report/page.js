"use strict";

for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.addEventListener("click", () => {
    const down = head.getAttribute("aria-sort") !== "descending";
    for (const other of heads) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const key = (row) => {
      const text = row.cells[column].textContent.trim();
      const number = parseFloat(text.replace("<", ""));
      return Number.isNaN(number) ? text : number;
    };
    const order = (a, b) => {
      const [x, y] = [key(a), key(b)];
      if (typeof x !== typeof y) return typeof x === "number" ? -1 : 1; // numbers first, always
      const less = typeof x === "number" ? x - y : x.localeCompare(y);
      return down ? -less : less;
    };
    table.tBodies[0].append(...[...table.tBodies[0].rows].sort(order));
  }));
}

const search = document.getElementById("search");
const cases = [...document.querySelectorAll("article")];
const filter = () => {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const one of cases) {
    const text = one.dataset.text.toLowerCase();
    one.hidden = !words.every((word) => text.includes(word));
    shown += !one.hidden;
  }
  document.getElementById("count").textContent = `${shown} of ${cases.length} cases`;
};
search.addEventListener("input", filter);
filter();
