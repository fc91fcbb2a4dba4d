/**
 * Everything around the canvas: tools, readout, labels of the planes, progress. Joins the viewer to the page.
 */

import type { CommandGroup } from "./keyboard";
import { directions, type Layout, type Plane, PLANES } from "./planes";
import type { Progress } from "./volumes";
import { type Viewer, type VolumeSource } from "./viewer";
import { decimals, greyRange, presetsFor, type WindowPreset, windowLevel } from "./windowing";

const PAGE_OF_SLICES = 10;

function part<T extends HTMLElement>(root: HTMLElement, name: string): T {
  const found = root.querySelector<T>(`[data-part="${name}"]`);
  if (!found) throw new Error(`the page lacks its part ${name}`);
  return found;
}

export class Stage {
  private activePlane: Plane = "axial";
  private presets: WindowPreset[] = [];
  private preset = 0;
  private isDrawn = false;
  private isWindowDue = false;

  constructor(
    private readonly root: HTMLElement,
    private readonly viewer: Viewer,
  ) {
    this.wireTools();
    this.wireCanvas();
    viewer.onChange(() => this.draw());
  }

  /** Fetch the volumes with progress over the picture. */
  async load(sources: readonly VolumeSource[]): Promise<void> {
    const veil = part(this.root, "loading");
    const text = part(this.root, "loading-text");
    const bar = part<HTMLProgressElement>(this.root, "loading-bar");
    this.isDrawn = false;
    veil.hidden = false;
    await this.viewer.load(sources, (source, progress) => {
      text.textContent = `Loading ${source.name} · ${amount(progress)}`;
      if (progress.total === null) bar.removeAttribute("value");
      else bar.value = progress.received / progress.total;
    });
    veil.hidden = true;
    this.isDrawn = true;
    this.presets = this.viewer.valueRange ? presetsFor(this.viewer.valueRange) : [];
    this.preset = 0;
    this.fillPresets();
    for (const tool of this.root.querySelectorAll<HTMLElement>("[data-tools]")) tool.removeAttribute("inert");
    for (const tool of this.root.querySelectorAll<HTMLElement>("[data-mask-tool]")) tool.hidden = !this.viewer.hasMask;
    for (const tool of this.root.querySelectorAll<HTMLElement>("[data-window-tool]")) tool.hidden = this.viewer.isColour;
    for (const tool of this.root.querySelectorAll<HTMLElement>("[data-place-tool]")) tool.hidden = this.viewer.isPhotograph;
    for (const tool of this.root.querySelectorAll<HTMLElement>("[data-plane-tool]")) tool.hidden = this.viewer.isFlat;
    this.offerVolumes();
    const left = this.viewer.leftOut;
    const note = left > 0 ? ` · ${left} ${left === 1 ? "image" : "images"} of the series left out` : "";
    part(this.root, "memory").textContent = `${mebibytes(this.viewer.memoryBytes)} MB in memory${note}`;
    this.draw();
  }

  /** Say in place of the picture why there is none. */
  fail(title: string, text: string): void {
    part(this.root, "loading").hidden = true;
    part(this.root, "failure-title").textContent = title;
    part(this.root, "failure-text").textContent = text;
    part(this.root, "failure").hidden = false;
  }

  /** The keys of the viewer. */
  commands(): CommandGroup[] {
    const scroll = (slices: number) => () => this.viewer.scroll(this.activePlane, slices);
    const opacity = (step: number) => () => this.viewer.setMask({ shown: true, opacity: this.viewer.mask.opacity + step });
    return [
      {
        title: "Move",
        commands: [
          { keys: ["ArrowUp"], shown: ["↑"], help: "Next slice of the marked plane (or turn the wheel)", run: scroll(1) },
          { keys: ["ArrowDown"], shown: ["↓"], help: "Previous slice", run: scroll(-1) },
          { keys: ["PageUp"], shown: ["Page ↑"], help: "Ten slices on", run: scroll(PAGE_OF_SLICES) },
          { keys: ["PageDown"], shown: ["Page ↓"], help: "Ten slices back", run: scroll(-PAGE_OF_SLICES) },
          { keys: ["ArrowRight"], shown: ["→"], help: "Next volume of a series, else mark the next plane", run: () => this.sideways(1) },
          { keys: ["ArrowLeft"], shown: ["←"], help: "Previous volume, else mark the previous plane", run: () => this.sideways(-1) },
          { keys: ["p"], help: "Mark the next plane", run: () => this.nextPlane(1) },
          { keys: ["v"], help: "The marked plane alone, or all three (or double-click)", run: () => this.toggleLayout() },
          { keys: ["+", "="], shown: ["+"], help: "Enlarge about the crosshair", run: () => this.viewer.zoom(1.25) },
          { keys: ["-"], help: "Make smaller", run: () => this.viewer.zoom(0.8) },
          { keys: ["0"], help: "Whole image, automatic window", run: () => this.reset() },
        ],
      },
      {
        title: "Look",
        commands: [
          { keys: ["o"], help: "Mask on or off", run: () => this.viewer.setMask({ shown: !this.viewer.mask.shown }) },
          { keys: ["e"], help: "Edge of the mask only", run: () => this.toggleOutline() },
          { keys: ["]"], help: "Mask stronger", run: opacity(0.1) },
          { keys: ["["], help: "Mask fainter", run: opacity(-0.1) },
          { keys: ["w"], help: "Next window (or drag with the right button)", run: () => this.stepPreset(1) },
          { keys: ["l", "shift+w"], shown: ["L"], help: "Previous window", run: () => this.stepPreset(-1) },
          { keys: ["r"], help: "Patient's left on the right, or on the left", run: () => this.flip() },
        ],
      },
    ];
  }

  private wireTools(): void {
    this.on("mask", "click", () => this.viewer.setMask({ shown: !this.viewer.mask.shown }));
    this.on("outline", "click", () => this.toggleOutline());
    this.on("opacity", "input", (input) => this.viewer.setMask({ shown: true, opacity: Number(input.value) / 100 }));
    this.on("preset", "change", (input) => this.choosePreset(Number(input.value)));
    this.on("window", "change", () => this.applyNumbers());
    this.on("level", "change", () => this.applyNumbers());
    this.on("volume", "input", (input) => this.viewer.showVolume(Number(input.value) - 1));
    this.on("flip", "click", () => this.flip());
    this.on("reset", "click", () => this.reset());
    for (const button of this.root.querySelectorAll<HTMLElement>("[data-layout]")) {
      button.addEventListener("click", () => this.setLayout(button.dataset["layout"] as Layout));
    }
  }

  private on(name: string, event: string, run: (input: HTMLInputElement) => void): void {
    const element = part<HTMLInputElement>(this.root, name);
    element.addEventListener(event, () => run(element));
  }

  private wireCanvas(): void {
    const surface = part(this.root, "surface");
    surface.addEventListener("pointerdown", (event) => this.mark(this.planeAt(event)));
    surface.addEventListener("wheel", (event) => this.mark(this.planeAt(event)), { passive: true });
    surface.addEventListener("dblclick", (event) => {
      this.mark(this.planeAt(event));
      this.toggleLayout();
    });
    surface.addEventListener("contextmenu", (event) => event.preventDefault());
  }

  private planeAt(event: MouseEvent): Plane {
    const box = part(this.root, "surface").getBoundingClientRect();
    const [x, y] = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    const hit = PLANES.find((plane) => {
      const area = this.viewer.rectangle(plane);
      return area && x >= area[0] && x <= area[0] + area[2] && y >= area[1] && y <= area[1] + area[3];
    });
    return hit ?? this.activePlane;
  }

  private mark(plane: Plane): void {
    this.activePlane = plane;
    this.draw();
  }

  private nextPlane(step: number): void {
    if (this.viewer.isFlat) return;
    const next = PLANES[(PLANES.indexOf(this.activePlane) + step + PLANES.length) % PLANES.length] ?? "axial";
    if (this.viewer.currentLayout !== "three") this.viewer.setLayout(next);
    this.mark(next);
  }

  /** Left and right go through the volumes where there are many, else through the planes. */
  private sideways(step: number): void {
    const { shown, count } = this.viewer.volumes;
    if (count > 1) this.viewer.showVolume(shown + step);
    else this.nextPlane(step);
  }

  private offerVolumes(): void {
    const { count } = this.viewer.volumes;
    for (const tool of this.root.querySelectorAll<HTMLElement>("[data-volume-tool]")) tool.hidden = count === 1;
    part<HTMLInputElement>(this.root, "volume").max = String(count);
  }

  private setLayout(layout: Layout): void {
    if (this.viewer.isFlat) return;
    if (layout !== "three") this.activePlane = layout;
    this.viewer.setLayout(layout);
  }

  private toggleLayout(): void {
    this.setLayout(this.viewer.currentLayout === "three" ? this.activePlane : "three");
  }

  private toggleOutline(): void {
    this.viewer.setMask({ shown: true, outline: !this.viewer.mask.outline });
  }

  private flip(): void {
    if (!this.viewer.isPhotograph) this.viewer.setRadiological(!this.viewer.isRadiological);
  }

  private reset(): void {
    this.preset = 0;
    this.viewer.reset();
  }

  private stepPreset(step: number): void {
    if (this.presets.length === 0) return;
    this.choosePreset((Math.max(0, this.preset) + step + this.presets.length) % this.presets.length);
  }

  private choosePreset(index: number): void {
    const preset = this.presets[index];
    if (!preset) return;
    this.preset = index;
    this.viewer.setGreyRange(preset);
  }

  private applyNumbers(): void {
    const window = part<HTMLInputElement>(this.root, "window").valueAsNumber;
    const level = part<HTMLInputElement>(this.root, "level").valueAsNumber;
    if (Number.isFinite(window) && Number.isFinite(level)) this.viewer.setGreyRange(greyRange(window, level));
  }

  private fillPresets(): void {
    const select = part<HTMLSelectElement>(this.root, "preset");
    select.replaceChildren(
      ...this.presets.map((preset, index) => new Option(preset.name, String(index))),
      new Option("Own window", "-1"),
    );
  }

  /** Draw at most once a frame, however many changes come. */
  private draw(): void {
    if (this.isWindowDue) return;
    this.isWindowDue = true;
    requestAnimationFrame(() => {
      this.isWindowDue = false;
      this.drawPlanes();
      if (!this.isDrawn) return;
      this.drawReadout();
      this.drawTools();
    });
  }

  private drawPlanes(): void {
    for (const plane of PLANES) {
      const label = part(this.root, `plane-${plane}`);
      const area = this.viewer.rectangle(plane);
      label.hidden = area === null;
      if (area === null) continue;
      const [left, top, width, height] = area.map((share) => `${share * 100}%`) as [string, string, string, string];
      Object.assign(label.style, { left, top, width, height });
      label.classList.toggle("is-active", plane === this.activePlane && this.viewer.currentLayout === "three");
      const position = this.isDrawn ? this.viewer.position(plane) : null;
      part(label, "slice").textContent = position ? `${position.slice} / ${position.count}` : "";
      label.classList.toggle("is-bare", this.viewer.isFlat);
      label.classList.toggle("is-nowhere", !this.isDrawn || this.viewer.isPhotograph);
      for (const [edge, letter] of Object.entries(directions(plane, this.viewer.isRadiological))) {
        part(label, edge).textContent = letter;
      }
    }
  }

  private drawReadout(): void {
    const reading = this.viewer.reading();
    const digits = decimals(this.viewer.valueRange?.full ?? this.viewer.greyRange);
    part(this.root, "voxel").textContent = reading.voxel.join(", ");
    part(this.root, "value").textContent = reading.colour ? reading.colour.join(", ") : formatted(reading.value, digits);
    part(this.root, "mask-value").textContent =
      reading.mask === null ? "–" : reading.maskName ? `${reading.mask} ${reading.maskName}` : String(reading.mask);
    part(this.root, "position").textContent = reading.positionMm.map((mm) => mm.toFixed(1)).join(", ");
  }

  private drawTools(): void {
    const { shown, opacity, outline } = this.viewer.mask;
    part(this.root, "mask").setAttribute("aria-pressed", String(shown));
    part(this.root, "outline").setAttribute("aria-pressed", String(outline));
    part<HTMLInputElement>(this.root, "opacity").value = String(Math.round(opacity * 100));
    part(this.root, "opacity-text").textContent = `${Math.round(opacity * 100)} %`;
    const { shown: volume, count } = this.viewer.volumes;
    part<HTMLInputElement>(this.root, "volume").value = String(volume + 1);
    part(this.root, "volume-text").textContent = `${this.viewer.isFlat ? "picture" : "volume"} ${volume + 1} of ${count}`;
    part(this.root, "flip").setAttribute("aria-pressed", String(this.viewer.isRadiological));
    for (const button of this.root.querySelectorAll<HTMLElement>("[data-layout]")) {
      button.setAttribute("aria-pressed", String(button.dataset["layout"] === this.viewer.currentLayout));
    }
    const range = this.viewer.greyRange;
    const { window, level } = windowLevel(range);
    const digits = decimals(range);
    for (const [name, value] of [["window", window], ["level", level]] as const) {
      const input = part<HTMLInputElement>(this.root, name);
      if (document.activeElement !== input) input.value = value.toFixed(digits);
    }
    this.preset = this.presets.findIndex((one) => isClose(one.low, range.low, window) && isClose(one.high, range.high, window));
    part<HTMLSelectElement>(this.root, "preset").value = String(this.preset);
  }
}

function isClose(one: number, other: number, scale: number): boolean {
  return Math.abs(one - other) <= 1e-6 * Math.max(1, scale);
}

/** A value as people read it: whole numbers as such, others with as many digits as the image's range asks for. */
function formatted(value: number, digits: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(Math.max(digits, 2));
}

function mebibytes(bytes: number): string {
  return Math.max(0.1, bytes / 2 ** 20).toFixed(bytes < 10 * 2 ** 20 ? 1 : 0);
}

function amount({ received, total }: Progress): string {
  return total === null ? `${mebibytes(received)} MB` : `${mebibytes(received)} of ${mebibytes(total)} MB`;
}
