// A running job's page: what a person has opened stays open, and the page is loaded again when the job has ended.

const opened = new Map();

document.addEventListener("htmx:beforeSwap", (event) => {
  for (const one of event.target.querySelectorAll("details[data-keep]")) opened.set(one.dataset.keep, one.open);
});

document.addEventListener("htmx:sseBeforeMessage", (event) => {
  const part = event.target;
  for (const one of part.querySelectorAll("details[data-keep]")) opened.set(one.dataset.keep, one.open);
  if (part.querySelector(".asks[open]")) event.preventDefault(); // a person is about to decide
});

document.addEventListener("htmx:load", (event) => {
  for (const one of event.target.querySelectorAll?.("details[data-keep]") ?? []) {
    if (opened.has(one.dataset.keep)) one.open = opened.get(one.dataset.keep);
  }
});

document.addEventListener("htmx:sseClose", (event) => {
  if (event.detail.type === "message") location.reload();
});
