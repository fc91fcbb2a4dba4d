/**
 * Voxel indices between NiiVue's order and the file's own. Pure; imports nothing.
 *
 * NiiVue counts voxels along the axes right, anterior, superior ("RAS order"), whatever the order in the file. People and
 * programs (nibabel, the measurements) count in the file's order; these functions translate.
 */

export type Voxel = readonly [number, number, number];

/**
 * Turn a voxel index in RAS order into the file's own order.
 *
 * `permutation[r]` is the file axis (1 to 3) that lies along RAS axis r, negative when it runs the other way.
 * `size` is the number of voxels along each file axis.
 */
export function fileVoxel(ras: Voxel, permutation: readonly number[], size: Voxel): Voxel {
  const voxel: [number, number, number] = [0, 0, 0];
  for (let axis = 0; axis < 3; axis += 1) {
    const signed = permutation[axis] ?? axis + 1;
    const target = Math.abs(signed) - 1;
    const index = ras[axis] ?? 0;
    voxel[target] = signed > 0 ? index : (size[target] ?? 1) - 1 - index;
  }
  return voxel;
}

/** Turn a voxel index in the file's order into RAS order: the inverse of `fileVoxel`. */
export function rasVoxel(voxel: Voxel, permutation: readonly number[], size: Voxel): Voxel {
  const ras: [number, number, number] = [0, 0, 0];
  for (let axis = 0; axis < 3; axis += 1) {
    const signed = permutation[axis] ?? axis + 1;
    const source = Math.abs(signed) - 1;
    const index = voxel[source] ?? 0;
    ras[axis] = signed > 0 ? index : (size[source] ?? 1) - 1 - index;
  }
  return ras;
}

/** Keep an index inside the volume. */
export function clampVoxel(voxel: Voxel, size: Voxel): Voxel {
  const clamp = (index: number, count: number): number => Math.max(0, Math.min(count - 1, Math.round(index)));
  return [clamp(voxel[0], size[0]), clamp(voxel[1], size[1]), clamp(voxel[2], size[2])];
}
