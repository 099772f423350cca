// What all pages share: dismissing a message, and moving it away when the next action succeeds.

const trouble = document.getElementById("trouble");

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-dismiss]")) trouble.replaceChildren();
});

// What a page asks by itself (data-background) leaves the message to be read.
document.addEventListener("htmx:beforeRequest", ({ target }) => {
  if (!target.closest("[data-background]")) trouble.replaceChildren();
});

for (const lost of ["htmx:sendError", "htmx:timeout"]) {
  document.addEventListener(lost, () => {
    const words = document.createElement("p");
    words.textContent = "The console does not answer. Does `batchdrop ui` still run in its terminal?";
    const message = document.createElement("div");
    message.className = "trouble";
    message.append(words);
    trouble.replaceChildren(message);
  });
}
