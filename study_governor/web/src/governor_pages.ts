// The governor's pages stay true while they are open, and nothing flickers: after an event the changed part is asked
// for and laid over what is there, node by node. Open details, the focus and what somebody types stay as they are.
import "./governor/pages.css";
import { morph } from "./governor/morph";

const PAUSE_MS = 400;
const ANYWAY_MS = 60_000;

class LivePart {
  private timer: number | undefined;
  private isAsking = false;
  private askAgain = false;
  private wasLost = false;
  private readonly only: string | undefined;

  constructor(
    private readonly element: HTMLElement,
    private readonly address: string,
    events: string,
  ) {
    this.only = element.dataset.only;
    const stream = new EventSource(events);
    stream.addEventListener("session", (event) => this.heard((event as MessageEvent<string>).data));
    stream.addEventListener("open", () => this.found());
    stream.addEventListener("error", () => this.lost());
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && this.askAgain) this.soon();
    });
    setInterval(() => this.soon(), ANYWAY_MS);
    window.addEventListener("pagehide", () => stream.close());
    window.addEventListener("pageshow", (event) => {
      if (event.persisted) location.reload();
    });
  }

  private heard(id: string): void {
    if (this.only === undefined || this.only === id) this.soon();
  }

  private found(): void {
    document.documentElement.dataset.live = "on";
    if (this.wasLost) this.soon();
    this.wasLost = false;
  }

  private lost(): void {
    document.documentElement.dataset.live = "lost";
    this.wasLost = true;
  }

  private soon(): void {
    if (document.hidden) {
      this.askAgain = true;
      return;
    }
    this.timer ??= window.setTimeout(() => void this.ask(), PAUSE_MS);
  }

  private async ask(): Promise<void> {
    this.timer = undefined;
    if (this.isAsking) {
      this.askAgain = true;
      return;
    }
    this.isAsking = true;
    this.askAgain = false;
    try {
      const response = await fetch(this.address, { headers: { Accept: "text/html" }, credentials: "same-origin" });
      if (response.status === 401 || response.redirected) location.reload();
      else if (response.ok) this.lay(await response.text());
    } catch {
      this.lost();
    } finally {
      this.isAsking = false;
      if (this.askAgain) this.soon();
    }
  }

  private lay(html: string): void {
    const fresh = document.createElement(this.element.tagName);
    fresh.innerHTML = html;
    morph(this.element, fresh, (changed) => {
      changed.classList.remove("gov-changed");
      void changed.offsetWidth; // begins the animation anew
      changed.classList.add("gov-changed");
    });
    this.element.dispatchEvent(new CustomEvent("htmx:load", { bubbles: true, detail: { elt: this.element } }));
  }
}

for (const element of document.querySelectorAll<HTMLElement>("[data-live]")) {
  const { live, events } = element.dataset;
  if (live && events) new LivePart(element, live, events);
}

// A filter is taken as soon as it is chosen; without scripts the button does it.
for (const form of document.querySelectorAll<HTMLFormElement>("form[data-filter]")) {
  form.addEventListener("change", (event) => {
    if (event.target instanceof HTMLSelectElement) form.requestSubmit();
  });
  form.addEventListener("formdata", (event) => {
    for (const [name, value] of [...event.formData.entries()]) if (value === "") event.formData.delete(name);
  });
}
