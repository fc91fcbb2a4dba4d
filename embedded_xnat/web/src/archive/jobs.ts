// One upload: sent with real progress, cancelled when asked, ended with what the archive says.
import { csrfHeaders, sentenceOf } from "./request";

export interface Job {
  readonly name: string;
  readonly method: "PUT" | "POST";
  /** Where it goes, as the form stands when it is sent. */
  readonly address: () => string;
  readonly body: Blob;
}

/** What was sent whole may be stored, whether or not its answer comes back. */
const LOOK_FIRST = "It was sent already, so the archive may have stored it; look there before you send it again.";

/** What may help with what was refused: the same once more, to be let in again, other words in the form, or nothing but other files. */
export type Remedy = "again" | "entry" | "form" | "none";

const PASSING = new Set([0, 408, 425, 429]);
const OUT = new Set([401, 403]);
const OF_THE_FORM = new Set([409, 417]);

export function remedyOf(status: number, { isFiles }: { readonly isFiles: boolean }): Remedy {
  if (PASSING.has(status) || status >= 500) return "again";
  if (OUT.has(status)) return "entry";
  // a set of files has nothing in itself that makes no sense, so the words of its address are at fault
  return OF_THE_FORM.has(status) || (isFiles && status === 400) ? "form" : "none";
}

export type Outcome =
  | { readonly kind: "done"; readonly answer: string }
  | { readonly kind: "refused"; readonly status: number; readonly text: string }
  | { readonly kind: "cancelled"; readonly text: string };

function part<T extends HTMLElement>(root: HTMLElement, name: string): T {
  const found = root.querySelector<T>(`[data-part="${name}"]`);
  if (!found) throw new Error(`the page lacks its part ${name}`);
  return found;
}

export function amount(bytes: number): string {
  if (bytes < 1024 * 1024) return `${Math.ceil(bytes / 1024)} KB`;
  if (bytes < 1024 ** 3) return `${(bytes / 1024 ** 2).toFixed(1)} MB`;
  return `${(bytes / 1024 ** 3).toFixed(2)} GB`;
}

/** A row of the list of uploads. */
export class JobRow {
  readonly element: HTMLElement;
  private request: XMLHttpRequest | null = null;
  private isCancelled = false;
  private isSent = false;

  constructor(
    readonly job: Job,
    template: HTMLTemplateElement,
  ) {
    this.element = template.content.firstElementChild?.cloneNode(true) as HTMLElement;
    part(this.element, "name").textContent = job.name;
    part(this.element, "state").textContent = `${amount(job.body.size)}, waits`;
    part(this.element, "cancel").addEventListener("click", () => this.cancel());
  }

  /** Send it, and show how far it is. */
  async send(): Promise<Outcome> {
    const outcome: Outcome = this.isCancelled ? this.cancelled() : await this.run();
    part(this.element, "cancel").hidden = true;
    part(this.element, "bar").hidden = true;
    this.element.dataset["outcome"] = outcome.kind;
    return outcome;
  }

  say(state: string, text = "", link: { href: string; text: string } | null = null): void {
    part(this.element, "state").textContent = state;
    const line = part(this.element, "text");
    line.replaceChildren(text);
    if (link !== null) {
      const anchor = document.createElement("a");
      anchor.href = link.href;
      anchor.textContent = link.text;
      line.append(text ? " " : "", anchor);
    }
    line.hidden = text === "" && link === null;
  }

  cancel(): void {
    this.isCancelled = true;
    this.request?.abort();
    if (this.request === null) this.say("stopped");
  }

  private cancelled(): Outcome {
    return { kind: "cancelled", text: this.isSent ? LOOK_FIRST : "Nothing of it was stored." };
  }

  private run(): Promise<Outcome> {
    const request = new XMLHttpRequest();
    this.request = request;
    const bar = part<HTMLProgressElement>(this.element, "bar");
    const state = part(this.element, "state");
    request.open(this.job.method, this.job.address());
    for (const [name, value] of Object.entries(csrfHeaders())) request.setRequestHeader(name, value);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.onprogress = (event) => {
      const share = event.total > 0 ? event.loaded / event.total : 0;
      bar.value = share;
      state.textContent = `${amount(event.loaded)} of ${amount(event.total)}`;
    };
    request.upload.onload = () => {
      this.isSent = true;
      bar.removeAttribute("value");
      state.textContent = "sent; the archive reads and stores it";
    };
    return new Promise((resolve) => {
      request.onload = () => {
        const isGood = request.status >= 200 && request.status < 300;
        if (isGood) resolve({ kind: "done", answer: request.responseText });
        else resolve({ kind: "refused", status: request.status, text: sentenceOf(request.status, request.responseText) });
      };
      request.onerror = () => {
        const text = this.isSent ? LOOK_FIRST : "Nothing of it was stored.";
        resolve({ kind: "refused", status: 0, text: `The connection broke. ${text}` });
      };
      request.onabort = () => resolve(this.cancelled());
      request.send(this.job.body);
    });
  }
}
