// Short sentences in the corner, read out by screen readers. Other scripts: `window.dispatchEvent(new
// CustomEvent("cohortflow:notice", {detail: {text: "…", tone: "success"}}))`.

type Tone = "info" | "success" | "warning" | "danger";
const STAYS_MS = 8000;

export function notify(text: string, tone: Tone = "info"): void {
  const place = document.getElementById("cf-notices");
  if (!place) return;
  for (const shown of place.children) if (shown.firstChild?.textContent === text) return;
  const notice = document.createElement("div");
  notice.className = `cf-notice cf-alert-${tone}`;
  const sentence = document.createElement("span");
  sentence.textContent = text;
  const close = document.createElement("button");
  close.type = "button";
  close.className = "cf-notice-close";
  close.ariaLabel = "Close";
  close.textContent = "×";
  close.addEventListener("click", () => notice.remove());
  notice.append(sentence, close);
  place.append(notice);
  if (tone !== "danger") setTimeout(() => notice.remove(), STAYS_MS);
}

export function installNotices(): void {
  window.addEventListener("cohortflow:notice", (event) => {
    const { text, tone } = (event as CustomEvent<{ text: string; tone?: Tone }>).detail;
    notify(text, tone);
  });
}
