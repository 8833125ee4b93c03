"use strict";

const said = document.querySelector(".said");

function say(text) {
  said.textContent = text;
  said.classList.add("shown");
  clearTimeout(say.timer);
  say.timer = setTimeout(() => said.classList.remove("shown"), 2500);
}

// Pages opened from disk may have no clipboard API: a selected text area is the older way.
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    if (!done) throw new Error("refused");
  }
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  try {
    await copy(button.dataset.copy);
    say(`Copied: ${button.dataset.what}`);
  } catch {
    say("The browser refused to copy.");
  }
  button.focus();
});

function sort(table, head, column) {
  const descending = head.getAttribute("aria-sort") !== "descending";
  const key = (row) => row.cells[column].dataset.value;
  const rows = [...table.tBodies[0].rows];
  // Rows without a figure stay at the end in both directions.
  rows.sort((a, b) => {
    const [left, right] = [key(a), key(b)];
    if (left === "" || right === "") return (left === "") - (right === "");
    return descending ? right - left : left - right;
  });
  table.querySelectorAll("[aria-sort]").forEach((other) => other.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", descending ? "descending" : "ascending");
  table.tBodies[0].append(...rows);
}

// Heads that span two rows come first in the first row, the others follow in the second: the
// number of a body column is that of its head in reading order of the leaves.
function leaves(table) {
  const [top, below] = table.tHead.rows;
  const second = [...below.cells];
  return [...top.cells].flatMap((head) =>
    head.colSpan > 1 ? second.splice(0, head.colSpan) : [head],
  );
}

for (const table of document.querySelectorAll("table.sortable")) {
  leaves(table).forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => sort(table, head, column));
  });
}
