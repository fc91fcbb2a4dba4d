/**
 * The three-plane viewer: a thin, typed surface over NiiVue, which draws. Knows nothing of tasks and forms.
 */

import { DRAG_MODE, Niivue, NVImage, SLICE_TYPE } from "@niivue/niivue";

import { Frames } from "./frames";
import { permutation, size, valueAt } from "./lookup";
import { maskColours, type MaskLabel } from "./masks";
import { AXIS, type Layout, type Plane, PLANES, type Rectangle, THREE, WHOLE } from "./planes";
import { fetchNifti, type Progress, volumeFrom, VolumeError } from "./volumes";
import { clampVoxel, fileVoxel, rasVoxel, type Voxel } from "./voxels";
import type { GreyRange, ValueRange } from "./windowing";

export { hasWebGl2 } from "./lookup";
export type { MaskLabel } from "./masks";

export interface VolumeSource {
  readonly name: string;
  readonly role: "image" | "mask";
  readonly url: string;
}

/** What lies under the crosshair. Indices count from 0 in the order of the image file, as nibabel does. */
export interface Reading {
  readonly voxel: Voxel;
  readonly value: number;
  /** Red, green, blue from 0 to 255, where the image has colours. */
  readonly colour: readonly [number, number, number] | null;
  readonly mask: number | null;
  /** Name of the mask's value, as the template says; empty where there is none. */
  readonly maskName: string;
  /** Patient position in mm: right, anterior, superior positive. */
  readonly positionMm: readonly [number, number, number];
}

export interface PlanePosition {
  readonly plane: Plane;
  readonly slice: number;
  readonly count: number;
}

const SLICE: Readonly<Record<Plane, SLICE_TYPE>> = {
  axial: SLICE_TYPE.AXIAL,
  coronal: SLICE_TYPE.CORONAL,
  sagittal: SLICE_TYPE.SAGITTAL,
};

const NIFTI_INTENT_LABEL = 1002;

export class Viewer {
  private range: ValueRange | null = null;
  private frames: Frames | null = null;
  private readonly niivue: Niivue;
  private readonly labels: readonly MaskLabel[];
  private readonly listeners: (() => void)[] = [];
  private layout: Layout = "three";
  private maskShown = true;
  private maskOutline = false;
  private maskOpacity = 0.4;
  private bytes = 0;
  private left = 0;
  /** Whether the ground image is a single slice, so that one plane shows all of it. */
  isFlat = false;

  private constructor(niivue: Niivue, labels: readonly MaskLabel[]) {
    this.niivue = niivue;
    this.labels = labels;
    this.maskOpacity = labels.find((label) => label.opacity !== null)?.opacity ?? 0.4;
  }

  /** Open a viewer on a canvas. */
  static async open(canvas: HTMLCanvasElement, labels: readonly MaskLabel[] = []): Promise<Viewer> {
    const niivue = new Niivue({
      backColor: [0, 0, 0, 1],
      crosshairColor: [0.98, 0.8, 0.2, 0.8],
      crosshairWidth: 0.15,
      crosshairWidthUnit: "percent",
      crosshairGap: 6,
      fontColor: [0.75, 0.78, 0.82, 1],
      fontMinPx: 12,
      dragAndDropEnabled: false,
      isRadiologicalConvention: true,
      sagittalNoseLeft: true,
      isOrientationTextVisible: false, // the stage writes the letters, clear of the crosshair
      isSliceMM: false,
      isColorbar: false,
      isOrientCube: false,
      logLevel: "error",
      loadingText: "",
      clipPlaneHotKey: "",
      cycleClipPlaneHotKey: "",
      viewModeHotKey: "",
      mouseEventConfig: {
        leftButton: { primary: DRAG_MODE.crosshair, withShift: DRAG_MODE.pan, withCtrl: DRAG_MODE.windowing },
        rightButton: DRAG_MODE.windowing,
        centerButton: DRAG_MODE.pan,
      },
    });
    const viewer = new Viewer(niivue, labels);
    await niivue.attachToCanvas(canvas, false);
    niivue.onLocationChange = () => viewer.changed();
    niivue.onIntensityChange = () => viewer.changed();
    viewer.setLayout("three");
    return viewer;
  }

  /** Call `listener` whenever crosshair, window, overlay or layout changed. */
  onChange(listener: () => void): void {
    this.listeners.push(listener);
  }

  private changed(): void {
    for (const listener of this.listeners) listener();
  }

  /** Fetch and show the volumes; the first image is the ground on which masks lie. */
  async load(
    sources: readonly VolumeSource[],
    onProgress: (source: VolumeSource, progress: Progress) => void,
    signal?: AbortSignal,
  ): Promise<void> {
    const ordered = [...sources].sort((a, b) => Number(a.role === "mask") - Number(b.role === "mask"));
    if (ordered[0] === undefined) throw new VolumeError("There is no image to show.");
    this.drawAtOnce(() => this.clear());
    const images: [NVImage, VolumeSource][] = [];
    for (const source of ordered) {
      const { buffer, leftOut } = await fetchNifti(source.url, (progress) => onProgress(source, progress), signal);
      const image = await volumeFrom(buffer, source.role);
      this.bytes += image.img?.byteLength ?? 0;
      this.left += leftOut;
      images.push([image, source]);
    }
    this.drawAtOnce(() => images.forEach(([image, source]) => this.add(image, source)));
    const flat = this.flatPlane();
    if (flat !== null) this.setLayout(flat);
    else if (this.isFlat) this.setLayout("three");
    this.isFlat = flat !== null;
    if (this.isPhotograph) this.setRadiological(true); // as the file has it, for mirrored text is hard to read
    this.setMask({ shown: this.maskShown, opacity: this.maskOpacity });
    this.changed();
  }

  /** Change the list of volumes and draw once: NiiVue would put all of them on the graphics card anew for each change. */
  private drawAtOnce(change: () => void): void {
    this.niivue.updateGLVolume = () => undefined;
    try {
      change();
    } finally {
      delete (this.niivue as Partial<Niivue>).updateGLVolume; // the method of its class is back
    }
    this.niivue.updateGLVolume();
  }

  private add(image: NVImage, source: VolumeSource): void {
    if (source.role === "mask") {
      if (image.hdr) image.hdr.intent_code = NIFTI_INTENT_LABEL; // NiiVue draws edges of labels only
      image.setColormapLabel(maskColours(this.labels, image.global_max ?? 1));
      image.opacity = this.maskOutline ? 0.004 : 1;
      image.colorbarVisible = false;
    } else {
      this.frames ??= new Frames(image);
      this.range = {
        robust: { low: image.cal_min ?? 0, high: image.cal_max ?? 1 },
        full: { low: image.global_min ?? 0, high: image.global_max ?? 1 },
      };
    }
    this.niivue.addVolume(image);
  }

  private clear(): void {
    for (const image of [...this.niivue.volumes]) this.niivue.removeVolume(image);
    this.bytes = 0;
    this.left = 0;
    this.range = null;
    this.frames = null;
  }

  /** How many volumes the ground image has, and which of them is shown, from 0. */
  get volumes(): { shown: number; count: number } {
    return { shown: this.frames?.shown ?? 0, count: this.frames?.count ?? 1 };
  }

  /** Show another volume of a 4D image; crosshair, window and zoom stay. */
  showVolume(frame: number): void {
    if (!this.frames?.show(frame)) return;
    this.niivue.refreshLayers(this.ground(), 0);
    this.niivue.drawScene();
    this.changed();
  }

  /** Whether the ground image has colours, which no window changes. */
  get isColour(): boolean {
    return this.frames?.isColour ?? false;
  }

  /** Whether the ground image is a picture with colours, which has no left and right of a patient. */
  get isPhotograph(): boolean {
    return this.isFlat && this.isColour;
  }

  /** The one plane that shows anything of an image of a single slice; null for a volume. */
  private flatPlane(): Plane | null {
    const count = this.niivue.volumes[0]?.dimsRAS ?? [3, 0, 0, 0];
    const thin = PLANES.filter((plane) => count[AXIS[plane] + 1] === 1);
    return thin.length === 1 ? (thin[0] ?? null) : null;
  }

  /** Values of the ground image, or null before one is loaded. */
  get valueRange(): ValueRange | null {
    return this.range;
  }

  /** Bytes of voxels held in memory. */
  get memoryBytes(): number {
    return this.bytes;
  }

  /** Pictures of the series that the archive left out of what it sent. */
  get leftOut(): number {
    return this.left;
  }

  get hasMask(): boolean {
    return this.niivue.volumes.length > 1;
  }

  get mask(): { shown: boolean; opacity: number; outline: boolean } {
    return { shown: this.maskShown, opacity: this.maskOpacity, outline: this.maskOutline };
  }

  /** Show or hide the mask, set how much of the image shines through, or draw its edge alone. */
  setMask(change: { shown?: boolean; opacity?: number; outline?: boolean }): void {
    this.maskShown = change.shown ?? this.maskShown;
    this.maskOpacity = Math.max(0, Math.min(1, change.opacity ?? this.maskOpacity));
    if (change.outline !== undefined && change.outline !== this.maskOutline) this.drawOutline(change.outline);
    const alpha = this.maskOutline ? 1 : this.maskOpacity;
    this.niivue.overlayAlphaShader = this.maskShown ? alpha : 0;
    this.niivue.drawScene();
    this.changed();
  }

  /** Draw masks as their edges: border voxels opaque, the inside all but clear. */
  private drawOutline(isOutline: boolean): void {
    this.maskOutline = isOutline;
    this.niivue.opts.atlasOutline = isOutline ? 1 : 0;
    this.niivue.volumes.forEach((image, layer) => {
      if (layer === 0) return;
      image.opacity = isOutline ? 0.004 : 1;
      this.niivue.refreshLayers(image, layer);
    });
  }

  get greyRange(): GreyRange {
    const ground = this.niivue.volumes[0];
    return { low: ground?.cal_min ?? 0, high: ground?.cal_max ?? 1 };
  }

  setGreyRange(range: GreyRange): void {
    const ground = this.niivue.volumes[0];
    if (!ground || !(range.high > range.low)) return;
    ground.cal_min = range.low;
    ground.cal_max = range.high;
    this.niivue.refreshLayers(ground, 0);
    this.niivue.drawScene();
    this.changed();
  }

  get currentLayout(): Layout {
    return this.layout;
  }

  /** Show all three planes or one of them. */
  setLayout(layout: Layout): void {
    this.layout = layout;
    this.niivue.setCustomLayout(
      PLANES.filter((plane) => this.rectangle(plane) !== null).map((plane) => ({
        sliceType: SLICE[plane],
        position: this.rectangle(plane) as Rectangle,
      })),
    );
    this.changed();
  }

  /** Where a plane is drawn, or null when it is not. */
  rectangle(plane: Plane): Rectangle | null {
    if (this.layout === "three") return THREE[plane];
    return this.layout === plane ? WHOLE : null;
  }

  get isRadiological(): boolean {
    return this.niivue.getRadiologicalConvention();
  }

  /** Patient's left on the right of the picture (radiological) or on the left. */
  setRadiological(isRadiological: boolean): void {
    this.niivue.opts.isRadiologicalConvention = isRadiological; // its setter would put all volumes on the graphics card anew
    this.niivue.drawScene();
    this.changed();
  }

  /** Enlarge (above 1) or shrink about the crosshair. */
  zoom(factor: number): void {
    const pan = this.niivue.scene.pan2Dxyzmm;
    const before = pan[3] ?? 1;
    const after = Math.max(0.5, Math.min(12, before * factor));
    const centre = this.niivue.frac2mm(this.niivue.scene.crosshairPos);
    for (let axis = 0; axis < 3; axis += 1) {
      pan[axis] = (pan[axis] ?? 0) + (before - after) * (centre[axis] ?? 0);
    }
    pan[3] = after;
    this.niivue.drawScene();
  }

  /** Whole image in view, automatic window. */
  reset(): void {
    this.niivue.setPan2Dxyzmm([0, 0, 0, 1]);
    if (this.range) this.setGreyRange(this.range.robust);
  }

  /** Move the crosshair through the slices of a plane. */
  scroll(plane: Plane, slices: number): void {
    if (this.niivue.volumes.length === 0) return;
    const step: [number, number, number] = [0, 0, 0];
    step[AXIS[plane]] = slices;
    this.niivue.moveCrosshairInVox(...step);
  }

  /** Which slice of a plane is shown, counted from 1 towards right, front or head. */
  position(plane: Plane): PlanePosition | null {
    const ground = this.niivue.volumes[0];
    if (!ground) return null;
    const axis = AXIS[plane];
    const count = ground.dimsRAS?.[axis + 1] ?? 1;
    return { plane, slice: (this.crosshairRas(ground)[axis] ?? 0) + 1, count };
  }

  crosshairVoxel(): Voxel {
    const ground = this.ground();
    return fileVoxel(this.crosshairRas(ground), permutation(ground), size(ground));
  }

  setCrosshairVoxel(voxel: Voxel): void {
    const ground = this.ground();
    const ras = rasVoxel(clampVoxel(voxel, size(ground)), permutation(ground), size(ground));
    this.niivue.scene.crosshairPos = this.niivue.vox2frac([...ras]);
    this.niivue.drawScene();
    this.changed();
  }

  /** Read what lies under the crosshair: the file's value, slope and intercept applied. */
  reading(): Reading {
    const ground = this.ground();
    const ras = this.crosshairRas(ground);
    const mm = this.niivue.frac2mm(this.niivue.scene.crosshairPos, 0, true);
    const at: [number, number, number] = [mm[0] ?? 0, mm[1] ?? 0, mm[2] ?? 0];
    const overlay = this.niivue.volumes[1];
    const mask = overlay ? valueAt(overlay, at) : null;
    const voxel = fileVoxel(ras, permutation(ground), size(ground));
    return {
      voxel,
      value: ground.getValue(...ras),
      colour: this.frames?.colour(voxel, size(ground)) ?? null,
      mask,
      maskName: mask ? (this.labels.find((label) => label.value === mask)?.name ?? "") : "",
      positionMm: at,
    };
  }

  private ground(): NVImage {
    const ground = this.niivue.volumes[0];
    if (!ground) throw new VolumeError("No image is loaded yet.");
    return ground;
  }

  private crosshairRas(ground: NVImage): Voxel {
    const position = this.niivue.scene.crosshairPos;
    const count = ground.dimsRAS ?? [3, 1, 1, 1];
    const index = (axis: number): number => {
      const along = count[axis + 1] ?? 1;
      return Math.max(0, Math.min(along - 1, Math.round((position[axis] ?? 0) * along - 0.5)));
    };
    return [index(0), index(1), index(2)];
  }

  /** Give the graphics memory back. */
  close(): void {
    this.niivue.cleanup();
    this.niivue.gl.getExtension("WEBGL_lose_context")?.loseContext();
  }
}
