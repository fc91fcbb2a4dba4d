// Moments come in UTC; readers see them in their own zone, and "5 min ago" stays true while the page is open.

const SECOND_MS = 1000;
const EVERY_MS = 20 * SECOND_MS;

const zoned = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "short" });
const exact = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "long" });

/** As the template's filter `ago`: both must say the same, so that nothing jumps when the script begins. */
export function ago(moment: Date, now: Date): string {
  const seconds = Math.max(0, (now.getTime() - moment.getTime()) / SECOND_MS);
  if (seconds < 60) return "just now";
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
  const days = Math.floor(seconds / 86400);
  return days === 1 ? "yesterday" : `${days} days ago`;
}

function show(root: ParentNode): void {
  const now = new Date();
  for (const element of root.querySelectorAll<HTMLTimeElement>("time.cf-time")) {
    const moment = new Date(element.dateTime);
    if (Number.isNaN(moment.getTime())) continue;
    const text = "relative" in element.dataset ? ago(moment, now) : zoned.format(moment);
    if (element.textContent !== text) element.textContent = text;
    element.title = exact.format(moment);
  }
}

export function installTimes(): void {
  show(document);
  setInterval(() => show(document), EVERY_MS);
  document.addEventListener("htmx:load", (event) => show((event as CustomEvent<{ elt: Element }>).detail.elt.parentNode ?? document));
}
