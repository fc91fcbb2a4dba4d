/** The three planes: where each is drawn, along which axis one scrolls through it, what lies at its edges. Pure. */

export type Plane = "axial" | "coronal" | "sagittal";

export type Layout = "three" | Plane;

/** Left, top, width, height of each plane as a share of the canvas. */
export type Rectangle = [number, number, number, number];

export const PLANES: readonly Plane[] = ["axial", "coronal", "sagittal"];

/** RAS axis along which one scrolls through a plane's slices. */
export const AXIS: Readonly<Record<Plane, number>> = { sagittal: 0, coronal: 1, axial: 2 };

export const THREE: Readonly<Record<Plane, Rectangle>> = {
  axial: [0, 0, 0.6, 1],
  coronal: [0.6, 0, 0.4, 0.5],
  sagittal: [0.6, 0.5, 0.4, 0.5],
};

export const WHOLE: Rectangle = [0, 0, 1, 1];

/** The patient's directions at the edges of a plane; a sagittal plane has the nose on the left in either convention. */
export function directions(plane: Plane, isRadiological: boolean): Readonly<Record<"left" | "top" | "right" | "bottom", string>> {
  const [left, right] = plane === "sagittal" ? ["A", "P"] : isRadiological ? ["R", "L"] : ["L", "R"];
  const [top, bottom] = plane === "axial" ? ["A", "P"] : ["S", "I"];
  return { left, top, right, bottom } as Record<"left" | "top" | "right" | "bottom", string>;
}
