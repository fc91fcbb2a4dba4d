// The scripts of the governor's pages: their parts stay true while they are open, filters are taken at once.
import "./governor/pages.css";
import { startParts } from "./governor/live_part";

startParts(document);
window.addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});

// A filter is taken as soon as it is chosen; without scripts the button does it.
for (const form of document.querySelectorAll<HTMLFormElement>("form[data-filter]")) {
  form.addEventListener("change", (event) => {
    if (event.target instanceof HTMLSelectElement) form.requestSubmit();
  });
  form.addEventListener("formdata", (event) => {
    for (const [name, value] of [...event.formData.entries()]) if (value === "") event.formData.delete(name);
  });
}
