// Small dialogs: making a project.
import { change, Refusal } from "./request";

export function installDialogs(): void {
  for (const opener of document.querySelectorAll<HTMLElement>("[data-opens]")) {
    opener.addEventListener("click", () => {
      document.querySelector<HTMLDialogElement>(`#${opener.dataset["opens"] ?? ""}`)?.showModal();
    });
  }
  for (const closer of document.querySelectorAll<HTMLElement>("[data-closes]")) {
    closer.addEventListener("click", () => closer.closest("dialog")?.close());
  }
  const form = document.querySelector<HTMLFormElement>("[data-new-project]");
  form?.addEventListener("submit", (event) => {
    event.preventDefault();
    void makeProject(form);
  });
}

async function makeProject(form: HTMLFormElement): Promise<void> {
  const error = form.querySelector<HTMLElement>('[data-part="error"]');
  const button = form.querySelector<HTMLButtonElement>('[type="submit"]');
  if (!error || !button || button.disabled) return;
  const values = new FormData(form);
  const id = String(values.get("id") ?? "").trim();
  const name = String(values.get("name") ?? "").trim() || id;
  const say = (text: string): void => {
    error.textContent = text;
    error.hidden = false;
  };
  if (!form.checkValidity() || id === "") {
    say("The id needs letters, digits, underscore, dash or dot, and no dot at its beginning.");
    return;
  }
  button.disabled = true;
  try {
    const fields = new URLSearchParams({ xsiType: "xnat:projectData", req_format: "qs", "xnat:projectData/name": name });
    await change("PUT", `/data/projects/${encodeURIComponent(id)}?${fields.toString()}`);
    location.assign(`/projects/${encodeURIComponent(id)}`);
  } catch (refusal) {
    if (!(refusal instanceof Refusal)) throw refusal;
    say(refusal.message);
  } finally {
    button.disabled = false;
  }
}
