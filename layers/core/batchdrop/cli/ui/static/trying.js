// The page Try: the editor, what it is told by the server, and the keys.

import { recipeEditor } from "/static/recipe_editor.js";

const PAUSE = 450; // milliseconds after the last key, before the recipe is checked
const form = document.getElementById("recipe-form");
const dialog = document.getElementById("order-dialog");
const saved = document.getElementById("saved");
const known = await (await fetch("/static/recipe_keys.json")).json();

let timer;
let isSaved = true;

function edited() {
  isSaved = false;
  saved.replaceChildren();
  clearTimeout(timer);
  timer = setTimeout(() => form.dispatchEvent(new CustomEvent("edited", { bubbles: true })), PAUSE);
}

function columns() {
  return [...document.querySelectorAll("#chips [data-insert]")].map((one) => [one.textContent, one.dataset.insert]);
}

function submit(id) {
  document.getElementById(id).requestSubmit();
  return true;
}

const editor = recipeEditor(form.elements.recipe, {
  known,
  columns,
  edited,
  keys: [
    { key: "Mod-Enter", run: () => submit("try-form") },
    { key: "Mod-s", run: () => submit("recipe-form") },
  ],
});

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || !(event.ctrlKey || event.metaKey)) return;
  const wanted = { Enter: "try-form", s: "recipe-form" }[event.key];
  if (wanted && !dialog.open) {
    event.preventDefault();
    submit(wanted);
  }
});

document.addEventListener("click", (event) => {
  const chip = event.target.closest("[data-insert]");
  if (chip) editor.insert(chip.dataset.insert);
  if (event.target.closest("[data-close]")) dialog.close();
  const restores = event.target.closest("[data-restore]");
  if (restores) editor.replace(restores.closest("details").querySelector("textarea").value);
  const finding = event.target.closest(".finding");
  if (event.target.closest("[data-go]")) editor.go(Number(finding.dataset.line), Number(finding.dataset.column));
  const fix = event.target.closest("[data-fix]");
  if (fix) {
    if (dialog.open) dialog.close();
    editor.fix({ line: Number(finding.dataset.line), ...fix.dataset });
  }
});

// A second click on a row's prompt closes it.
document.addEventListener("htmx:confirm", (event) => {
  const opener = event.target.closest?.("[data-story]");
  if (!opener) return;
  const isOpen = opener.getAttribute("aria-expanded") === "true";
  opener.setAttribute("aria-expanded", String(!isOpen));
  if (!isOpen) return;
  event.preventDefault();
  const story = opener.closest("tr").nextElementSibling;
  if (story?.classList.contains("story")) story.remove();
});

document.addEventListener("htmx:afterSwap", ({ target }) => {
  if (target.id === "order" && !dialog.open) dialog.showModal();
  if (target.id !== "judged") return;
  const findings = [...target.querySelectorAll(".finding")].map((one) => {
    const { line, column, kind } = one.dataset;
    return { line: Number(line), column: Number(column), kind, text: one.querySelector(".told").textContent };
  });
  editor.mark(findings);
});

document.addEventListener("recipe-saved", () => { isSaved = true; });

window.addEventListener("beforeunload", (event) => {
  if (!isSaved) event.preventDefault();
});
