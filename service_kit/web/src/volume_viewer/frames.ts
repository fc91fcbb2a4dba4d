/**
 * The volumes of a 4D image: one is shown, the others wait in memory. NiiVue 0.69 cuts a series of colour images at the wrong
 * places and reads their colours from the first volume only, so cutting and reading are done here for all.
 */

import { type NVImage } from "@niivue/niivue";

import { type Voxel } from "./voxels";

/** NIfTI data types with colours, and how many values a voxel has. */
const CHANNELS: Readonly<Record<number, number>> = { 128: 3, 2304: 4 };

type Values = NonNullable<NVImage["img"]>;

export class Frames {
  readonly count: number;
  private current = 0;
  private readonly whole: Values | null;
  private readonly channels: number;

  constructor(private readonly image: NVImage) {
    this.whole = image.img ?? null;
    this.count = Math.max(1, Math.floor(image.nFrame4D ?? 1));
    this.channels = CHANNELS[image.hdr?.datatypeCode ?? 0] ?? 1;
    image.nFrame4D = 1;
    this.show(0);
  }

  get shown(): number {
    return this.current;
  }

  get isColour(): boolean {
    return this.channels > 1;
  }

  /** Put a volume into the image; the first and the last are as far as it goes. */
  show(frame: number): boolean {
    const next = Math.max(0, Math.min(this.count - 1, Math.round(frame)));
    const isNew = next !== this.current;
    this.current = next;
    if (this.whole !== null && this.count > 1) {
      const size = this.whole.length / this.count;
      this.image.img = this.whole.subarray(next * size, (next + 1) * size) as Values;
    }
    return isNew;
  }

  /** Red, green and blue of a voxel, counted as in the file; null where the image has grey values. */
  colour(voxel: Voxel, size: Voxel): [number, number, number] | null {
    const values = this.image.img;
    if (!this.isColour || !values) return null;
    const at = this.channels * (voxel[0] + size[0] * (voxel[1] + size[1] * voxel[2]));
    return [Number(values[at] ?? 0), Number(values[at + 1] ?? 0), Number(values[at + 2] ?? 0)];
  }
}
