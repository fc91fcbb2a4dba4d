/**
 * The page that shows a scan: the viewer alone. Programs that test it find `window.cohortflowViewer`, as on the page of a task.
 */

import "../../../service_kit/web/src/volume_viewer/stage.css";
import "./archive/scan_viewer.css";

import { drawHelp, listen } from "../../../service_kit/web/src/volume_viewer/keyboard";
import { Stage } from "../../../service_kit/web/src/volume_viewer/stage";
import { hasWebGl2, Viewer, type VolumeSource } from "../../../service_kit/web/src/volume_viewer/viewer";
import type { Voxel } from "../../../service_kit/web/src/volume_viewer/voxels";

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

function element<T extends HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page lacks #${id}`);
  return found as T;
}

function openHelp(): void {
  const help = element<HTMLDialogElement>("help");
  if (help.open) help.close();
  else help.showModal();
}

async function open(sources: readonly VolumeSource[], surface: TestSurface): Promise<void> {
  if (sources.length === 0 || !hasWebGl2()) {
    const problem = element(sources.length === 0 ? "no-volumes" : "no-webgl");
    problem.hidden = false;
    element("loading").hidden = true;
    throw new Error(problem.textContent?.trim() ?? "no images");
  }
  const canvas = element<HTMLCanvasElement>("viewer");
  const viewer = await Viewer.open(canvas);
  const stage = new Stage(element("stage"), viewer);
  const groups = [
    ...stage.commands().map((group) => ({ ...group, commands: group.commands.filter((one) => !/mask/i.test(one.help)) })),
    { title: "Page", commands: [{ keys: ["?"], help: "This help", run: openHelp }] },
  ];
  listen(groups, canvas);
  drawHelp(groups, element("help-keys"));
  surface.crosshairVoxel = () => viewer.crosshairVoxel();
  surface.voxelAtCrosshair = () => viewer.reading().value;
  surface.setCrosshairVoxel = (i, j, k) => viewer.setCrosshairVoxel([i, j, k]);
  window.addEventListener("pagehide", () => viewer.close());
  const show = (source: VolumeSource | undefined): Promise<void> => stage.load(source ? [source] : []);
  const report = (error: unknown): void => {
    stage.fail("The images cannot be shown", error instanceof Error ? error.message : String(error));
  };
  const chooser = document.querySelector<HTMLSelectElement>('[data-part="image"]');
  chooser?.addEventListener("change", () => void show(sources[Number(chooser.value)]).catch(report));
  try {
    await show(sources[0]);
  } catch (error) {
    report(error);
    throw error;
  }
}

function notLoaded(): never {
  throw new Error("the images are not loaded yet; wait for cohortflowViewer.ready");
}

const data = JSON.parse(element("viewer-data").textContent ?? "") as { volumes: VolumeSource[] };
const surface: TestSurface = {
  ready: Promise.resolve(),
  crosshairVoxel: notLoaded,
  voxelAtCrosshair: notLoaded,
  setCrosshairVoxel: notLoaded,
};
window.cohortflowViewer = surface;
element("help-button").addEventListener("click", openHelp);
surface.ready = open(data.volumes, surface);
surface.ready.catch(() => undefined); // the page says it; whoever awaits `ready` still hears it
