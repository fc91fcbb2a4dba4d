/**
 * The state of the task beside the form: whose it is, for how long, what to do next. Only shows; decides nothing.
 */

import type { Lease } from "./lease";

type Tone = "plain" | "warning";

export class Panel {
  private isQueueEmpty = false;
  private isDone = false;

  constructor(private readonly root: HTMLElement) {}

  /** Run something when a button of the panel is pressed. */
  on(action: string, run: () => Promise<void>): void {
    for (const button of this.root.querySelectorAll(`[data-action="${action}"]`)) {
      button.addEventListener("click", () => void run());
    }
  }

  /** One line below the form; its place is always there, so that nothing moves. */
  note(text: string, tone: Tone = "plain"): void {
    const place = this.part("note");
    place.textContent = text;
    place.classList.toggle("is-warning", tone === "warning");
  }

  done(): void {
    this.isDone = true;
  }

  queueIsEmpty(): void {
    this.isQueueEmpty = true;
  }

  draw(lease: Lease, options: { mayAnswer: boolean; isBusy: boolean }): void {
    this.root.dataset["state"] = lease.state;
    const { title, text } = this.sentences(lease, options.mayAnswer);
    setText(this.part("state-title"), title);
    setText(this.part("state-text"), text);
    const hasRunOut = lease.state === "held" && lease.remainingMs === 0;
    const shows: Record<string, boolean> = {
      claim: options.mayAnswer && (["open", "lost"].includes(lease.state) || hasRunOut),
      release: lease.state === "mine",
      keep: lease.state === "ending",
      next: lease.state === "settled" && options.mayAnswer && !this.isQueueEmpty,
      queue: lease.state === "settled" || lease.state === "held",
    };
    for (const [action, isShown] of Object.entries(shows)) {
      for (const button of this.root.querySelectorAll<HTMLButtonElement>(`[data-action="${action}"]`)) {
        button.hidden = !isShown;
        button.disabled = options.isBusy;
      }
    }
    const submit = this.root.querySelector<HTMLButtonElement>('[data-action="submit"]');
    if (submit) submit.disabled = !lease.isMine || options.isBusy;
  }

  private sentences(lease: Lease, mayAnswer: boolean): { title: string; text: string } {
    const left = clock(lease.remainingMs);
    switch (lease.state) {
      case "open":
        return mayAnswer
          ? { title: "Open", text: "Claim it to answer; nobody else can take it then." }
          : { title: "Open", text: "You may look. Annotators of the study answer." };
      case "held":
        return lease.remainingMs > 0
          ? { title: "Taken", text: `Another person works on it, for ${left} at least.` }
          : { title: "Open again", text: "The other claim ran out; you may take it." };
      case "mine":
        return { title: `Yours for ${left}`, text: lease.message || "Renews by itself while you work." };
      case "ending":
        return { title: `Yours for ${left}`, text: lease.message || "Still there? Keep it, or it goes back to the queue." };
      case "lost":
        return { title: "No longer yours", text: lease.message };
      case "settled":
        if (this.isQueueEmpty) return { title: "Queue empty", text: "No open task is left for you. Well done." };
        return this.isDone
          ? { title: "Answer sent", text: "Thank you. The next task is one key away." }
          : { title: "Settled", text: "This task has its answer." };
    }
  }

  private part(name: string): HTMLElement {
    const found = this.root.querySelector<HTMLElement>(`[data-part="${name}"]`);
    if (!found) throw new Error(`the panel lacks its part ${name}`);
    return found;
  }
}

/** Write only what changed: screen readers would read the rest again. */
function setText(place: HTMLElement, text: string): void {
  if (place.textContent !== text) place.textContent = text;
}

function clock(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
