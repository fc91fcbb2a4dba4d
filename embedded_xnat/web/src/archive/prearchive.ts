// Rows of the prearchive: archive them or delete them.
import { change, Refusal } from "./request";

export function installPrearchive(): void {
  for (const row of document.querySelectorAll<HTMLElement>("tr[data-src]")) {
    row.querySelector("[data-archive]")?.addEventListener("click", () => void settle(row, archive(row)));
    row.querySelector("[data-delete]")?.addEventListener("click", () => {
      if (window.confirm("Delete this session and its files from the prearchive? It cannot be brought back.")) {
        void settle(row, () => change("POST", `/data/services/prearchive/delete?${source(row)}`));
      }
    });
  }
}

function source(row: HTMLElement): string {
  return new URLSearchParams({ src: row.dataset["src"] ?? "" }).toString();
}

function archive(row: HTMLElement): () => Promise<string> {
  return () => {
    const target = row.querySelector<HTMLInputElement>('[data-part="project"]');
    const project = target?.value.trim() ?? "";
    if (target && project === "") {
      target.focus();
      throw new Refusal(400, "Choose the project that it belongs to.");
    }
    return change("POST", `/data/services/archive?${source(row)}${project ? `&project=${encodeURIComponent(project)}` : ""}`);
  };
}

async function settle(row: HTMLElement, step: () => Promise<string>): Promise<void> {
  const error = row.querySelector<HTMLElement>('[data-part="error"]');
  const buttons = [...row.querySelectorAll<HTMLButtonElement>("button")];
  const before = buttons.map((button) => button.disabled);
  if (error) error.hidden = true;
  for (const button of buttons) button.disabled = true;
  row.setAttribute("aria-busy", "true");
  try {
    await step();
    leave(row);
  } catch (refusal) {
    if (!(refusal instanceof Refusal)) throw refusal;
    if (error) {
      error.textContent = refusal.message;
      error.hidden = false;
    }
    buttons.forEach((button, place) => (button.disabled = before[place] ?? false));
    row.removeAttribute("aria-busy");
  }
}

/** Take the row away; the last one gives way to the page that says that nothing waits. */
function leave(row: HTMLElement): void {
  const body = row.parentElement;
  row.remove();
  if (body && body.querySelector("tr[data-src]") === null) location.reload();
}
