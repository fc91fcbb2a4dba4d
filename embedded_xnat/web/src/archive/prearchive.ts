// Rows of the prearchive: archive them, merge them with what is there already, or delete them.
import { change, Refusal } from "./request";

const CONFLICT = 409;
const MERGE = "Merge adds what is new to it, and replaces nothing.";

export function installPrearchive(): void {
  for (const row of document.querySelectorAll<HTMLElement>("tr[data-src]")) wire(row);
}

function wire(row: HTMLElement): void {
  row.querySelector("[data-archive]")?.addEventListener("click", () => void settle(row, archive(row)));
  row.querySelector("[data-delete]")?.addEventListener("click", () => {
    if (window.confirm("Delete this session and its files from the prearchive? It cannot be brought back.")) {
      void settle(row, () => change("POST", `/data/services/prearchive/delete?${source(row)}`));
    }
  });
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

/** Put the row in its place that the archive shows now: why it stays there, and whether merging can help. */
async function renewed(row: HTMLElement): Promise<HTMLElement> {
  const answer = await fetch(location.href, { credentials: "same-origin" }).catch(() => null);
  if (!answer?.ok) return row;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const found = [...page.querySelectorAll<HTMLElement>("tr[data-src]")].find((one) => one.dataset["src"] === row.dataset["src"]);
  if (!found) return row;
  const fresh = document.importNode(found, true);
  const target = fresh.querySelector<HTMLInputElement>('[data-part="project"]');
  if (target) target.value = row.querySelector<HTMLInputElement>('[data-part="project"]')?.value ?? "";
  wire(fresh);
  row.replaceWith(fresh);
  archiveButton(fresh)?.focus();
  return fresh;
}

async function settle(row: HTMLElement, step: () => Promise<string>): Promise<void> {
  showRefusal(row, "");
  const buttons = [...row.querySelectorAll<HTMLButtonElement>("button")];
  const before = buttons.map((button) => button.disabled);
  for (const button of buttons) button.disabled = true;
  row.setAttribute("aria-busy", "true");
  try {
    await step();
    leave(row);
  } catch (refusal) {
    if (!(refusal instanceof Refusal)) throw refusal;
    const isConflict = refusal.status === CONFLICT;
    const shown = isConflict ? await renewed(row) : row;
    const isOffered = isConflict && archiveButton(shown)?.dataset["overwrite"] !== undefined;
    showRefusal(shown, isOffered ? `${refusal.message.replace(/\.?$/, ".")} ${MERGE}` : refusal.message);
    buttons.forEach((button, place) => (button.disabled = before[place] ?? false));
    row.removeAttribute("aria-busy");
  }
}

function showRefusal(row: HTMLElement, text: string): void {
  const error = row.querySelector<HTMLElement>('[data-part="error"]');
  if (!error) return;
  error.textContent = text;
  error.hidden = text === "";
}

/** Take the row away; the last one gives way to the page that says that nothing waits. */
function leave(row: HTMLElement): void {
  const body = row.parentElement;
  row.remove();
  if (body && body.querySelector("tr[data-src]") === null) location.reload();
}
