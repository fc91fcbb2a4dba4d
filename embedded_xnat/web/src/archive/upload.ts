// The upload page: what is chosen becomes jobs, one DICOM study or one set of files each, sent one after the other.
import { type Chosen, dropped, picked } from "./chosen";
import { byStudy } from "./dicom";
import { amount, type Job, JobRow, type Outcome, type Remedy, remedyOf } from "./jobs";
import { renewToken } from "./request";
import { tarOf } from "./tar";

const NO_DICOM = "There is no DICOM among these files, so nothing was sent. Choose what the scanner wrote; other files are kept as files of the project.";
const CONFLICT = 409;
const CHOSEN_ABOVE = "What happens to a session that is there already is chosen above.";
const CORRECT_ABOVE = "Correct it above, then send it again.";
const STILL_OUT = "If it is refused still, load the page again.";
const LOAD_AGAIN = "so nothing was sent. Load the page again, then choose the files once more.";
const ARCHIVE = /\.(zip|tar|tgz|tar\.gz)$/i;

function element<T extends HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page lacks #${id}`);
  return found as T;
}

class UploadPage {
  private chosen: Chosen[] = [];
  /** What was sent and did not get in. */
  private rest: Job[] = [];
  private isBusy = false;
  /** The archive let nobody in by this page; the rest is kept until it does. */
  private isOut = false;
  private stopper = new AbortController();
  private readonly isFiles: boolean;

  constructor(private readonly form: HTMLFormElement) {
    this.isFiles = form.dataset["kind"] === "files";
    this.wireDrop();
    for (const id of ["pick-folder", "pick-files"]) {
      const input = element<HTMLInputElement>(id);
      input.addEventListener("change", () => {
        if (input.files) this.choose(picked(input.files));
        input.value = "";
      });
    }
    this.part("clear").addEventListener("click", () => this.choose([]));
    this.part("stop").addEventListener("click", () => this.stopper.abort());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.send();
    });
    window.addEventListener("beforeunload", (event) => {
      if (this.isBusy) event.preventDefault();
    });
  }

  private part<T extends HTMLElement>(name: string): T {
    const found = this.form.querySelector<T>(`[data-part="${name}"]`);
    if (!found) throw new Error(`the page lacks its part ${name}`);
    return found;
  }

  private wireDrop(): void {
    const place = element("drop");
    const over = (isOver: boolean) => (event: DragEvent) => {
      event.preventDefault();
      place.classList.toggle("is-over", isOver);
    };
    document.body.addEventListener("dragover", over(true));
    document.body.addEventListener("dragleave", over(false));
    document.body.addEventListener("drop", (event) => {
      over(false)(event);
      if (event.dataTransfer && !this.isBusy) void this.take(event.dataTransfer);
    });
  }

  private async take(transfer: DataTransfer): Promise<void> {
    const stop = this.setBusy(true);
    try {
      const files = await dropped(transfer, (count) => {
        stop.throwIfAborted();
        this.say(`Looking into the folders: ${count} files`);
      });
      this.setBusy(false);
      this.choose(files);
      if (files.length === 0) this.say("There is no file in what was dropped.");
    } catch {
      this.setBusy(false);
      this.choose([]);
      this.say(stop.aborted ? "Stopped. Nothing was chosen." : "One of the files cannot be read, so nothing was chosen. Is its disk still there?");
    }
  }

  private choose(files: Chosen[]): void {
    if (this.isBusy) return;
    this.chosen = files;
    this.rest = [];
    const size = files.reduce((total, { file }) => total + file.size, 0);
    const count = files.length === 1 ? (files[0]?.path ?? "") : `${files.length} files`;
    this.part("summary").textContent = `${count}, ${amount(size)}`;
    element("chosen").hidden = files.length === 0;
    element("drop").hidden = files.length > 0;
    element("queue").replaceChildren();
    this.say("");
    this.part<HTMLButtonElement>("send").disabled = files.length === 0;
  }

  private async send(): Promise<void> {
    if (this.isBusy || this.chosen.length === 0) return;
    if (this.isFiles && !this.form.reportValidity()) return;
    const stop = this.setBusy(true);
    try {
      const other = this.isOut ? await renewToken() : null;
      if (other !== null) {
        this.say(`${other} is signed in now, ${LOAD_AGAIN}`); // what is sent would be stored under another name than the page shows
        return;
      }
      const jobs = this.rest.length > 0 ? this.rest : await this.jobs(stop);
      if (jobs.length > 0) await this.sendAll(jobs, stop);
      else if (stop.aborted) this.say("Stopped. Nothing was sent.");
      else {
        this.say(NO_DICOM);
        this.chosen = []; // to send them once more would not help
      }
    } catch {
      this.say("One of the files cannot be read any more. Is its disk still there? Nothing was sent.");
    } finally {
      this.setBusy(false);
    }
  }

  /** Send one after the other; what did not get in, and may, is what the next press of the button sends. */
  private async sendAll(jobs: readonly Job[], stop: AbortSignal): Promise<void> {
    const template = element<HTMLTemplateElement>("queue-row");
    const rows = jobs.map((job) => new JobRow(job, template));
    element("queue").replaceChildren(...rows.map((row) => row.element));
    stop.addEventListener("abort", () => rows.forEach((row) => row.cancel()));
    if (stop.aborted) rows.forEach((row) => row.cancel());
    this.rest = [];
    this.isOut = false;
    let lost = 0;
    for (const [place, row] of rows.entries()) {
      if (rows.length > 1 && !stop.aborted) this.say(`Sending ${place + 1} of ${rows.length}`);
      const outcome = await row.send();
      this.show(row, outcome);
      const remedy = outcome.kind === "refused" ? this.remedyOf(outcome.status) : null;
      if (remedy === "entry") {
        this.isOut = true;
        this.stopper.abort(); // none of the others would be let in
      }
      if (remedy === "none") lost += 1;
      else if (outcome.kind !== "done") this.rest.push(row.job);
    }
    this.finished(rows.length, lost);
  }

  /** Begin or end work that can be stopped. */
  private setBusy(isBusy: boolean): AbortSignal {
    this.isBusy = isBusy;
    if (isBusy) this.stopper = new AbortController();
    this.part("stop").hidden = !isBusy;
    this.part<HTMLButtonElement>("send").disabled = isBusy || this.chosen.length === 0;
    this.part<HTMLButtonElement>("clear").disabled = isBusy;
    return this.stopper.signal;
  }

  private say(text: string): void {
    this.part("status").textContent = text;
  }

  /** Say what came of it; `lost` were refused for good. */
  private finished(count: number, lost: number): void {
    const left = this.rest.length;
    const stored = count - left - lost;
    if (left === 0) this.chosen = []; // the page stays as it is: nothing jumps below the reader's eyes
    if (left + lost > 0) {
      const said = [stored === 0 ? "Nothing is stored." : `${stored} of ${count} ${stored === 1 ? "is" : "are"} stored.`];
      if (lost > 0) said.push(`${lost === 1 ? "One was" : `${lost} were`} refused for the reason below; choose other files instead.`);
      const missing = `sends ${left === 1 ? "the one that is" : `the ${left} that are`} missing again.`;
      if (this.isOut) said.push(`Sign in again in another tab; then Upload ${missing} ${STILL_OUT}`);
      else if (left > 0) said.push(`Upload ${missing}`);
      this.say(said.join(" "));
      return;
    }
    this.say(count === 1 ? "It is stored." : `All ${count} are stored.`);
    this.part("back").textContent = "Look at it";
    this.part("back").classList.add("btn-primary");
  }

  private value(name: string): string {
    const field = this.form.elements.namedItem(name);
    if (field instanceof HTMLInputElement && field.type === "checkbox") return String(field.checked);
    return field instanceof HTMLInputElement || field instanceof HTMLSelectElement ? field.value.trim() : "";
  }

  private async jobs(signal: AbortSignal): Promise<Job[]> {
    if (this.isFiles) return [this.filesJob()];
    const archives = this.chosen.filter(({ path }) => ARCHIVE.test(path));
    const files = this.chosen.filter(({ path }) => !ARCHIVE.test(path));
    const onCount = (count: number): void => this.say(`Looking through the files: ${count} of ${files.length}`);
    const { studies, left } = await byStudy(files, { onCount, signal });
    if (signal.aborted) return [];
    this.say("");
    const name = (files: readonly Chosen[], place: number): string => {
      const folder = files[0]?.path.split("/").slice(0, -1).join("/") || "DICOM";
      return `${studies.length > 1 ? `Study ${place + 1}: ` : ""}${folder}, ${files.length} ${files.length === 1 ? "file" : "files"}`;
    };
    if (left > 0) {
      const text = left === 1 ? "One file that is no DICOM is passed over." : `${left} files that are no DICOM are passed over.`;
      window.dispatchEvent(new CustomEvent("cohortflow:notice", { detail: { text, tone: "info" } }));
    }
    return [
      ...archives.map(({ path, file }) => this.importJob(path, file)),
      ...studies.map((files, place) => this.importJob(name(files, place), tarOf(files))),
    ];
  }

  private importJob(name: string, body: Blob): Job {
    const address = (): string => {
      const query = new URLSearchParams({
        "import-handler": "DICOM-zip",
        inbody: "true",
        dest: this.value("destination"),
        project: this.form.dataset["project"] ?? "",
        overwrite: this.value("overwrite"),
      });
      for (const field of ["subject", "session"]) if (this.value(field)) query.set(field, this.value(field));
      return `/data/services/import?${query.toString()}`;
    };
    return { name, method: "POST", address, body };
  }

  private filesJob(): Job {
    const address = (): string => {
      const query = new URLSearchParams({ extract: "true", overwrite: this.value("overwrite"), inbody: "true" });
      const resource = encodeURIComponent(this.value("resource"));
      return `${this.form.dataset["rest"] ?? ""}/resources/${resource}/files/upload.tar?${query.toString()}`;
    };
    const name = this.chosen.length === 1 ? (this.chosen[0]?.path ?? "") : `${this.chosen.length} files`;
    return { name, method: "PUT", address, body: tarOf(this.chosen) };
  }

  private show(row: JobRow, outcome: Outcome): void {
    if (outcome.kind === "cancelled") row.say("stopped", outcome.text);
    else if (outcome.kind === "refused") row.say("not stored", [outcome.text, this.advice(outcome.status)].join(" ").trim());
    else if (this.isFiles) row.say("stored", duplicates(outcome.answer));
    else row.say("stored", "", sessionLink(outcome.answer));
  }

  private remedyOf(status: number): Remedy {
    return remedyOf(status, { isFiles: this.isFiles });
  }

  private advice(status: number): string {
    if (this.remedyOf(status) !== "form") return "";
    return status === CONFLICT ? CHOSEN_ABOVE : CORRECT_ABOVE;
  }
}

/** Say which files were there already and stayed. */
function duplicates(answer: string): string {
  try {
    const count = (JSON.parse(answer) as { duplicates?: string[] }).duplicates?.length ?? 0;
    return count > 0 ? `${count} of them were there already and stayed as they were.` : "";
  } catch {
    return "";
  }
}

/** The import answers with the address of what it made. */
function sessionLink(answer: string): { href: string; text: string } | null {
  const address = answer.trim().split(/\s+/)[0] ?? "";
  if (address.includes("/prearchive/")) return { href: "/prearchive", text: "It waits in the prearchive" };
  const page = address.replace(/^\/data(\/archive)?/, "");
  if (!page.startsWith("/")) return null;
  return { href: page, text: `Open ${decodeURIComponent(page.split("/").pop() ?? "the session")}` };
}

export function installUpload(): void {
  const form = document.querySelector<HTMLFormElement>("#upload");
  if (form) new UploadPage(form);
}
