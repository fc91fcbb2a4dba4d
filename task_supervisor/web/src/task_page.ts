/**
 * The page of a task: images on the left, form on the right, a claim that keeps itself alive.
 *
 * Programs that test the page find `window.cohortflowViewer`: `ready` settles when the images are drawn (or says why not).
 */

import "../../../service_kit/web/src/volume_viewer/stage.css";
import "./task_page/task_page.css";

import { type CommandGroup, drawHelp, listen } from "../../../service_kit/web/src/volume_viewer/keyboard";
import { Stage } from "../../../service_kit/web/src/volume_viewer/stage";
import { hasWebGl2, type MaskLabel, Viewer, type VolumeSource } from "../../../service_kit/web/src/volume_viewer/viewer";
import type { Voxel } from "../../../service_kit/web/src/volume_viewer/voxels";
import { ApiError, ask, type Claim } from "./task_page/api";
import { type Answer, AnswerForm, type FieldData } from "./task_page/form";
import { Lease, type LeaseData } from "./task_page/lease";
import { Panel } from "./task_page/panel";

interface TaskData {
  readonly taskId: number;
  readonly status: string;
  readonly project: string;
  readonly api: string;
  readonly nextApi: string;
  readonly pages: string;
  readonly lease: LeaseData | null;
  readonly mayAnswer: boolean;
  readonly volumes: readonly VolumeSource[];
  readonly labels: readonly MaskLabel[];
  readonly fields: readonly FieldData[];
  readonly values: Answer | null;
  readonly isDraft: boolean;
}

interface TestSurface {
  ready: Promise<void>;
  crosshairVoxel(): Voxel;
  voxelAtCrosshair(): number;
  setCrosshairVoxel(i: number, j: number, k: number): void;
}

declare global {
  interface Window {
    cohortflowViewer: TestSurface;
  }
}

const DRAFT_AFTER_MS = 1200;

function element<T extends HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page lacks #${id}`);
  return found as T;
}

class TaskPage {
  private readonly form: AnswerForm;
  private readonly lease: Lease;
  private readonly panel: Panel;
  private draftTimer = 0;
  private isBusy = false;

  constructor(private readonly data: TaskData) {
    const isSettled = data.status === "done" || data.status === "aborted";
    this.panel = new Panel(element("task-panel"));
    this.form = new AnswerForm(element<HTMLFormElement>("answer"), data.fields, data.values);
    this.lease = new Lease(data.api, data.lease, isSettled, () => this.draw());
    this.form.element.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.submit();
    });
    this.form.onChange(() => this.scheduleDraft());
    this.panel.on("claim", () => this.claim());
    this.panel.on("release", () => this.act(() => this.lease.release()));
    this.panel.on("keep", () => this.act(() => this.lease.renew()));
    this.panel.on("next", () => this.next());
    if (data.isDraft) this.panel.note("Your draft is back.");
    this.draw();
  }

  commands(): CommandGroup {
    return {
      title: "Answer",
      commands: [
        ...["1", "2", "3", "4", "5", "6", "7", "8", "9"].map((key) => ({
          keys: [key],
          shown: [],
          help: "",
          run: () => void this.form.chooseOption(Number(key)),
        })),
        { keys: ["c"], help: "Write the comment", run: () => this.form.focus("TextBox") },
        { keys: ["Escape"], shown: ["Esc"], help: "Back to the images", whileTyping: true, run: () => toImages() },
        { keys: ["ctrl+Enter"], shown: ["Ctrl", "Enter"], help: "Submit", whileTyping: true, run: () => void this.submit() },
        { keys: ["t"], help: "Take (claim) this task", run: () => void this.claim() },
        { keys: ["n"], help: "Next task, once this one is done", run: () => void this.nextIfDone() },
        { keys: ["?"], help: "This help", run: () => openHelp() },
      ],
    };
  }

  private draw(): void {
    this.form.setEnabled(this.lease.isMine && this.data.mayAnswer && !this.isBusy);
    this.panel.draw(this.lease, { mayAnswer: this.data.mayAnswer, isBusy: this.isBusy });
  }

  private async claim(): Promise<void> {
    if (!this.data.mayAnswer || !["open", "lost", "held"].includes(this.lease.state)) return;
    await this.act(() => this.lease.claim());
    if (this.lease.isMine) toImages();
  }

  private async submit(): Promise<void> {
    if (!this.lease.isMine || this.isBusy) return;
    const missing = this.form.unfulfilled();
    if (missing.length > 0) {
      this.panel.note(`Not yet: ${missing.join("; ")}.`, "warning");
      this.form.markMissing(true);
      return;
    }
    window.clearTimeout(this.draftTimer);
    await this.act(async () => {
      await ask("POST", `${this.data.api}/submit`, { token: this.lease.token, answer: this.form.answer() });
      this.lease.settle();
      this.panel.done();
    });
  }

  private async nextIfDone(): Promise<void> {
    if (this.lease.state === "settled") await this.next();
  }

  private async next(): Promise<void> {
    await this.act(async () => {
      try {
        const claim = await ask<Claim>("POST", this.data.nextApi, { project: this.data.project });
        location.assign(this.data.pages + String(claim.task.id));
      } catch (error) {
        if (!(error instanceof ApiError) || error.status !== 404) throw error;
        this.panel.queueIsEmpty();
      }
    });
  }

  private scheduleDraft(): void {
    window.clearTimeout(this.draftTimer);
    if (this.lease.isMine) this.draftTimer = window.setTimeout(() => void this.keepDraft(), DRAFT_AFTER_MS);
  }

  private async keepDraft(): Promise<void> {
    try {
      await ask("PUT", `${this.data.api}/draft`, { answer: this.form.answer() });
      this.panel.note("Kept as a draft.");
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.panel.note(error.message, "warning");
    }
  }

  /** Run one step; say what went wrong in the panel. */
  private async act(step: () => Promise<void>): Promise<void> {
    if (this.isBusy) return;
    this.isBusy = true;
    this.draw();
    try {
      this.panel.note("");
      await step();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 409 && this.lease.isMine) this.lease.lose(error.message);
      else this.panel.note(error.message, "warning");
    } finally {
      this.isBusy = false;
      this.draw();
    }
  }
}

/** Give the keys to the images; the page stays where it is. */
function toImages(): void {
  element("viewer").focus({ preventScroll: true });
}

function openHelp(): void {
  const help = element<HTMLDialogElement>("help");
  if (help.open) help.close();
  else help.showModal();
}

async function openViewer(data: TaskData, page: TaskPage, surface: TestSurface): Promise<void> {
  const root = element("stage");
  const canvas = element<HTMLCanvasElement>("viewer");
  const groups: CommandGroup[] = [page.commands()];
  if (data.volumes.length === 0 || !hasWebGl2()) {
    const problem = element(data.volumes.length === 0 ? "no-volumes" : "no-webgl");
    problem.hidden = false;
    element("loading").hidden = true;
    listen(groups, canvas);
    drawHelp(shownGroups(groups), element("help-keys"));
    throw new Error(problem.textContent?.trim() ?? "no images");
  }
  const viewer = await Viewer.open(canvas, data.labels);
  const stage = new Stage(root, viewer);
  groups.unshift(...stage.commands());
  listen(groups, canvas);
  drawHelp(shownGroups(groups), element("help-keys"));
  surface.crosshairVoxel = () => viewer.crosshairVoxel();
  surface.voxelAtCrosshair = () => viewer.reading().value;
  surface.setCrosshairVoxel = (i, j, k) => viewer.setCrosshairVoxel([i, j, k]);
  window.addEventListener("pagehide", () => viewer.close());
  const masks = data.volumes.filter((volume) => volume.role === "mask");
  const images = data.volumes.filter((volume) => volume.role === "image");
  const show = (image: VolumeSource | undefined): Promise<void> => stage.load(image ? [image, ...masks] : masks);
  const report = (error: unknown): void => {
    stage.fail("The images cannot be shown", error instanceof Error ? error.message : String(error));
  };
  const chooser = document.querySelector<HTMLSelectElement>('[data-part="image"]');
  chooser?.addEventListener("change", () => void show(images[Number(chooser.value)]).catch(report));
  try {
    await show(images[0]);
  } catch (error) {
    report(error);
    throw error;
  }
}

/** What the help shows: the number keys are one line. */
function shownGroups(groups: readonly CommandGroup[]): CommandGroup[] {
  return groups.map((group) => ({
    title: group.title,
    commands: group.commands
      .map((command) => (command.keys[0] === "1" ? { ...command, shown: ["1", "2", "…"], help: "Choose an answer" } : command))
      .filter((command) => command.help !== ""),
  }));
}

/** The procedure stays open or closed as its reader left it. */
function rememberProcedure(): void {
  const procedure = document.querySelector<HTMLDetailsElement>(".tp-sop");
  if (!procedure) return;
  const key = `procedure:${procedure.dataset["template"] ?? ""}`;
  procedure.open = localStorage.getItem(key) !== "closed";
  procedure.addEventListener("toggle", () => localStorage.setItem(key, procedure.open ? "open" : "closed"));
}

function notLoaded(): never {
  throw new Error("the images are not loaded yet; wait for cohortflowViewer.ready");
}

const data = JSON.parse(element("task-data").textContent ?? "") as TaskData;
const surface: TestSurface = {
  ready: Promise.resolve(),
  crosshairVoxel: notLoaded,
  voxelAtCrosshair: notLoaded,
  setCrosshairVoxel: notLoaded,
};
window.cohortflowViewer = surface;
rememberProcedure();
element("help-button").addEventListener("click", openHelp);
surface.ready = openViewer(data, new TaskPage(data), surface);
surface.ready.catch(() => undefined); // the page says it; whoever awaits `ready` still hears it
