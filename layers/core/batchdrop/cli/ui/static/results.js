// The table of results by keyboard, the panel with a row's story, and the count of chosen rows.

const panel = document.getElementById("story");
const search = document.getElementById("search");
const chosen = document.querySelector(".chosen");
let opener = null;

const rows = () => [...document.querySelectorAll("tr[data-row]")];
const now = () => document.querySelector("tr.now");

function mark(row) {
  if (!row) return;
  now()?.classList.remove("now");
  row.classList.add("now");
  row.scrollIntoView({ block: "nearest" });
  row.querySelector(".opens").focus({ preventScroll: true });
}

function step(by) {
  const all = rows();
  const at = all.indexOf(now());
  mark(all[Math.min(Math.max(at + by, 0), all.length - 1)]);
  if (!panel.hidden) now()?.querySelector(".opens").click();
}

function close() {
  panel.hidden = true;
  panel.replaceChildren();
  opener?.focus();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") {
    if (!panel.hidden) close();
    for (const one of document.querySelectorAll(".asks[open]")) one.open = false;
    return;
  }
  if (event.target.closest("input:not([type=checkbox]), select, textarea")) return;
  if (event.key === "j") step(1);
  else if (event.key === "k") step(-1);
  else if (event.key === "/") {
    event.preventDefault();
    search.focus();
  }
});

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-close]")) close();
  const row = event.target.closest("tr[data-row]");
  if (!row) return;
  const button = row.querySelector(".opens");
  if (event.target.closest("input, td:first-child")) return;
  now()?.classList.remove("now");
  row.classList.add("now");
  opener = button;
  if (event.target.closest(".opens") !== button && !getSelection().toString()) button.click();
});

document.addEventListener("htmx:afterSwap", (event) => {
  if (event.target !== panel) return;
  panel.hidden = false;
  panel.scrollTop = 0;
  if (!panel.querySelector(".note.good")) panel.focus({ preventScroll: true });
});

document.addEventListener("change", (event) => {
  if (!event.target.matches("tr[data-row] input")) return;
  const count = document.querySelectorAll("tr[data-row] input:checked").length;
  chosen.hidden = !count;
  chosen.querySelector("[data-count]").textContent = count === 1 ? "1 row is chosen" : `${count} rows are chosen`;
});
