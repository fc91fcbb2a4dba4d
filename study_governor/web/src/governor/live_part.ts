// A part of the page that stays true while it is open, and nothing flickers: after an event it is asked for and laid over what
// is there, node by node. Open details, the focus and what somebody types stay as they are.
//
//   data-live="/parts/x" data-events="/events"    what to ask for, and where to hear that it changed
//   data-topic="session" data-only="7"            which events count: their topic, and their data unless any will do
//   data-guest                                    another service's: asked for at once, left empty where it has nothing to say
import { morph } from "./morph";
import { type Listener, streamOf } from "./streams";

const PAUSE_MS = 400;
const ANYWAY_MS = 60_000;
const NOTHING_HERE = new Set([403, 404]);

const started = new WeakSet<HTMLElement>();

class LivePart implements Listener {
  readonly topic: string;
  private timer: number | undefined;
  private isAsking = false;
  private askAgain = false;
  private wasLost = false;
  private readonly isGuest: boolean;
  private readonly only: string | undefined;
  private readonly clock: number;

  constructor(
    private readonly element: HTMLElement,
    private readonly address: string,
    private readonly events: string,
  ) {
    this.topic = element.dataset["topic"] ?? "session";
    this.only = element.dataset["only"];
    this.isGuest = "guest" in element.dataset;
    this.clock = window.setInterval(() => this.tick(), ANYWAY_MS);
    document.addEventListener("visibilitychange", this.seen);
    if (this.isGuest) void this.ask();
    else streamOf(events).add(this);
  }

  heard(data: string): void {
    if (this.only === undefined || this.only === data) this.soon();
  }

  found(): void {
    if (!this.isGuest) document.documentElement.dataset["live"] = "on";
    if (this.wasLost) this.soon();
    this.wasLost = false;
  }

  lost(): void {
    if (!this.isGuest) document.documentElement.dataset["live"] = "lost";
    this.wasLost = true;
  }

  /** What happened while nobody looked was not heard. */
  private readonly seen = (): void => {
    this.wasLost = true;
    if (!document.hidden && this.askAgain) this.soon();
  };

  private tick(): void {
    if (!this.element.isConnected) {
      this.end();
      return;
    }
    if (!document.hidden) streamOf(this.events).open();
    this.soon();
  }

  private end(): void {
    window.clearInterval(this.clock);
    document.removeEventListener("visibilitychange", this.seen);
    streamOf(this.events).remove(this);
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
      const isLoggedOut = response.status === 401 || response.redirected;
      if (isLoggedOut && this.isGuest) this.end(); // of another service: the page's own parts say when it is ours
      else if (isLoggedOut) location.reload();
      else if (response.ok) this.lay(await response.text());
      else if (this.isGuest && NOTHING_HERE.has(response.status)) this.end();
    } catch {
      this.lost();
    } finally {
      this.isAsking = false;
      if (this.askAgain) this.soon();
    }
  }

  private lay(html: string): void {
    if (!this.element.isConnected) return;
    const fresh = document.createElement(this.element.tagName);
    fresh.innerHTML = html;
    morph(this.element, fresh, (changed) => {
      changed.classList.remove("gov-changed");
      void changed.offsetWidth; // begins the animation anew
      changed.classList.add("gov-changed");
    });
    this.element.dispatchEvent(new CustomEvent("htmx:load", { bubbles: true, detail: { elt: this.element } }));
    startParts(this.element);
    if (this.isGuest) streamOf(this.events).add(this);
  }
}

/** Start every live part below an element that has not begun yet. */
export function startParts(root: ParentNode): void {
  for (const element of root.querySelectorAll<HTMLElement>("[data-live]")) {
    const { live, events } = element.dataset;
    if (!live || !events || started.has(element)) continue;
    started.add(element);
    new LivePart(element, live, events);
  }
}
