/** Where a voxel of NiiVue's image is, and what is there; whether there can be images at all. */

import { type NVImage } from "@niivue/niivue";

import { type Voxel } from "./voxels";

/** For each RAS axis the file axis (1 to 3) that lies along it, negative when it runs the other way. */
export function permutation(image: NVImage): readonly number[] {
  return image.permRAS ?? [1, 2, 3];
}

/** Voxels along each axis of the file. */
export function size(image: NVImage): Voxel {
  const dims = image.hdr?.dims ?? [3, 1, 1, 1];
  return [dims[1] ?? 1, dims[2] ?? 1, dims[3] ?? 1];
}

/** Value at a patient position; null outside of the image. */
export function valueAt(image: NVImage, mm: [number, number, number]): number | null {
  const count = image.dimsRAS ?? [3, 1, 1, 1];
  const voxel = image.mm2vox(mm);
  const isInside = [0, 1, 2].every((axis) => (voxel[axis] ?? -1) >= 0 && (voxel[axis] ?? 0) < (count[axis + 1] ?? 1));
  return isInside ? image.getValue(voxel[0] ?? 0, voxel[1] ?? 0, voxel[2] ?? 0) : null;
}

/** Tell whether this browser can draw volumes at all. */
export function hasWebGl2(): boolean {
  return document.createElement("canvas").getContext("webgl2") !== null;
}
