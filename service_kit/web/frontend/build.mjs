// Bundles the front end of all services into service_kit/web/static/dist.
//
//   node build.mjs [--watch] [--out DIR] [--root DIR]
//
// Entries are the files directly in `web/src` of every top-level package (`task_supervisor/web/src/task_page.ts`);
// folders beside them hold the modules that entries import. Names carry a hash of the content, and `manifest.json`
// maps `task_page.js` to the built name. The new bundle replaces the old one at the end, so that a failed build
// leaves the last good one in place.

import { build, context } from "esbuild";
import { mkdir, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const FRONTEND = path.dirname(fileURLToPath(import.meta.url));
const ENTRY = /^(?!_)(?!.*\.(d|test)\.).+\.(ts|js|css)$/;

function option(name, fallback) {
  const at = process.argv.indexOf(name);
  return at < 0 ? fallback : path.resolve(process.argv[at + 1]);
}

const ROOT = option("--root", path.resolve(FRONTEND, "../../.."));
const OUT = option("--out", path.resolve(FRONTEND, "../static/dist"));
const IS_WATCHING = process.argv.includes("--watch");

async function namesIn(folder) {
  try {
    return (await readdir(folder, { withFileTypes: true })).sort((a, b) => a.name.localeCompare(b.name));
  } catch (error) {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return [];
    throw error;
  }
}

/** Find the entries of every package; two of one name would overwrite each other and are refused. */
async function findEntries() {
  const entries = new Map();
  for (const folder of await namesIn(ROOT)) {
    if (!folder.isDirectory() || folder.name.startsWith(".")) continue;
    const source = path.join(ROOT, folder.name, "web", "src");
    for (const file of await namesIn(source)) {
      if (!file.isFile() || !ENTRY.test(file.name)) continue;
      const name = manifestName(file.name);
      if (entries.has(name)) {
        throw new Error(`two entries are called ${name}: ${entries.get(name)} and ${path.join(source, file.name)}`);
      }
      entries.set(name, path.join(source, file.name));
    }
  }
  return [...entries.values()];
}

function manifestName(file) {
  return file.replace(/\.ts$/, ".js");
}

/** Map source names to built names: entries, the styles that they import, and fonts and pictures. */
function manifestOf(metafile) {
  const manifest = {};
  const entries = new Set(ENTRIES.map((entry) => path.relative(ROOT, entry)));
  const add = (name, output) => {
    if (name in manifest) throw new Error(`two built files are called ${name}`);
    manifest[name] = path.basename(output);
  };
  for (const [output, facts] of Object.entries(metafile.outputs)) {
    if (output.endsWith(".map") || output.endsWith(".txt")) continue;
    const inputs = Object.keys(facts.inputs);
    if (entries.has(facts.entryPoint)) { // a part loaded later has an entry point too, but no page asks for it
      add(manifestName(path.basename(facts.entryPoint)), output);
      if (facts.cssBundle) add(path.basename(facts.entryPoint).replace(/\.(ts|js)$/, ".css"), facts.cssBundle);
    } else if (inputs.length === 1 && /\.(woff2|png|svg|jpg)$/.test(inputs[0])) {
      add(path.basename(inputs[0]), output);
    }
  }
  return Object.fromEntries(Object.entries(manifest).sort());
}

/** Write the result beside the old bundle, then put it in its place; two builds at once do not mix. */
async function install(result) {
  const fresh = `${OUT}.${process.pid}.new`;
  const old = `${OUT}.${process.pid}.old`;
  await mkdir(fresh, { recursive: true });
  for (const file of result.outputFiles) {
    await writeFile(path.join(fresh, path.basename(file.path)), file.contents);
  }
  const manifest = manifestOf(result.metafile);
  await writeFile(path.join(fresh, "manifest.json"), `${JSON.stringify(manifest, null, 1)}\n`);
  for (let triesLeft = 5; ; triesLeft -= 1) {
    await rename(OUT, old).catch(ignoreMissing);
    await rm(old, { recursive: true, force: true });
    try {
      await rename(fresh, OUT);
      return manifest;
    } catch (error) {
      if (triesLeft === 0 || !["ENOTEMPTY", "EEXIST"].includes(error.code)) throw error; // another build was faster
    }
  }
}

function ignoreMissing(error) {
  if (error.code !== "ENOENT") throw error;
}

function report(result, manifest) {
  const gzipped = new Map(result.outputFiles.map((file) => [path.basename(file.path), gzipSync(file.contents).length]));
  for (const [name, built] of Object.entries(manifest)) {
    if (gzipped.has(built)) console.log(`${name.padEnd(36)} ${(gzipped.get(built) / 1024).toFixed(1).padStart(8)} KiB gzipped`);
  }
}

/**
 * NiiVue computes, for every image and at every change of its window, a gradient that only its 3D rendering uses, and only
 * when asked to. The viewer shows planes: without it a large image is there in half the time, and its window follows the hand.
 */
const withoutUnusedGradient = {
  name: "without-unused-gradient",
  setup(builder) {
    builder.onLoad({ filter: /niivue[\\/]build[\\/]niivue[\\/]index\.js$/ }, async ({ path: file }) => {
      const computed = /(this\.volumeTexture = outTexture;\s+)(this\.gradientTexture = gradientGL\()/g;
      const text = await readFile(file, "utf8");
      if (text.match(computed)?.length !== 1) throw new Error("NiiVue computes its gradient elsewhere now; look at build.mjs");
      return { contents: text.replace(computed, "$1if (this.gradientTextureAmount > 0) $2"), loader: "js" };
    });
  },
};

const ENTRIES = await findEntries();
const options = {
  entryPoints: ENTRIES,
  outdir: OUT,
  absWorkingDir: ROOT,
  nodePaths: [path.join(FRONTEND, "node_modules")],
  bundle: true,
  splitting: true,
  format: "esm",
  target: ["es2022"],
  minify: !IS_WATCHING,
  sourcemap: IS_WATCHING ? "inline" : false,
  legalComments: "linked",
  entryNames: "[name]-[hash]",
  chunkNames: "chunk-[hash]",
  assetNames: "[name]-[hash]",
  loader: { ".woff2": "file", ".png": "file", ".svg": "file", ".jpg": "file" },
  logLevel: "warning",
  metafile: true,
  write: false,
  plugins: [withoutUnusedGradient],
};

if (IS_WATCHING) {
  const installer = {
    name: "install",
    setup(builder) {
      builder.onEnd(async (result) => {
        if (result.errors.length === 0) console.log("built", Object.keys(await install(result)).join(" "));
      });
    },
  };
  await (await context({ ...options, plugins: [withoutUnusedGradient, installer] })).watch();
} else {
  const result = await build(options);
  report(result, await install(result));
}
