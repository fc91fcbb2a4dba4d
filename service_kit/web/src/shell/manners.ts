// Small things that every page does alike.

/** A menu closes when one looks elsewhere, and gives the focus back on Escape. */
function closeMenus(): void {
  document.addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll<HTMLDetailsElement>("details.cf-menu[open]")) {
      if (!menu.contains(event.target as Node)) menu.open = false;
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of document.querySelectorAll<HTMLDetailsElement>("details.cf-menu[open]")) {
      menu.open = false;
      menu.querySelector("summary")?.focus();
    }
  });
}

/** A plain form is sent once, and asks first where it says so: `<form data-confirm="Really?">`. */
function guardForms(): void {
  document.addEventListener("submit", (event) => {
    const form = event.target as HTMLFormElement;
    if (event.defaultPrevented || form.method.toLowerCase() !== "post" || form.target) return;
    if (form.dataset.confirm && !window.confirm(form.dataset.confirm)) {
      event.preventDefault();
      return;
    }
    if (form.dataset.sent !== undefined) event.preventDefault();
    form.dataset.sent = "";
    event.submitter?.setAttribute("aria-busy", "true");
  });
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll<HTMLFormElement>("form[data-sent]")) delete form.dataset.sent;
    for (const busy of document.querySelectorAll('[type="submit"][aria-busy]')) busy.removeAttribute("aria-busy");
  });
}

/** `<button data-copy="#id">` copies the text of the element. */
function copyButtons(): void {
  document.addEventListener("click", (event) => {
    const button = (event.target as Element).closest<HTMLElement>("[data-copy]");
    const source = button?.dataset.copy ? document.querySelector(button.dataset.copy) : null;
    if (!button || !source) return;
    getSelection()?.selectAllChildren(source); // without HTTPS there is no clipboard: then Ctrl+C does it
    void navigator.clipboard?.writeText(source.textContent ?? "").then(() => {
      button.textContent = "Copied";
    });
  });
}

function backButtons(): void {
  for (const button of document.querySelectorAll<HTMLElement>("[data-go-back]")) {
    button.hidden = history.length < 2;
    button.addEventListener("click", () => history.back());
  }
}

export function installManners(): void {
  closeMenus();
  guardForms();
  copyButtons();
  backButtons();
  document.querySelector(".cf-nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
}
