// Rows of the prearchive: archive them, merge them with what is there already, or delete them.
import { change, Refusal } from "./request";

const CONFLICT = 409;
const MERGE = "Merge adds what is new to it, and replaces nothing.";

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
    const overwrite = archiveButton(row)?.dataset["overwrite"];
    const said = `${project ? `&project=${encodeURIComponent(project)}` : ""}${overwrite ? `&overwrite=${overwrite}` : ""}`;
    return change("POST", `/data/services/archive?${source(row)}${said}`);
  };
}

function archiveButton(row: HTMLElement): HTMLButtonElement | null {
  return row.querySelector<HTMLButtonElement>("[data-archive]");
}

/** Offer what can help when the session is there already; false when that was tried. */
function offersMerge(row: HTMLElement): boolean {
  const button = archiveButton(row);
  if (!button || button.dataset["overwrite"]) return false;
  button.dataset["overwrite"] = "append";
  button.textContent = "Merge";
  return true;
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
      const isOffered = refusal.status === CONFLICT && offersMerge(row);
      error.textContent = isOffered ? `${refusal.message.replace(/\.?$/, ".")} ${MERGE}` : refusal.message;
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
