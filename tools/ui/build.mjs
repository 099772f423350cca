// Builds what the console's pages load from npm: `node build.mjs FOLDER`, beside node_modules. `make console` runs it.
//
// The same lock gives the same bytes. vendor.json names each package with its version and hash of the lock, and each
// file with its SHA-256; tests/ui/test_vendor.py compares it with the lock and with the files.
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const folder = process.argv[2];
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });

const { metafile } = await build({
  entryPoints: ["editor.js"],
  outfile: join(folder, "codemirror.min.js"),
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  legalComments: "none",
  metafile: true,
});
copyFileSync("node_modules/htmx.org/dist/htmx.min.js", join(folder, "htmx.min.js"));
copyFileSync("node_modules/htmx-ext-sse/dist/sse.min.js", join(folder, "htmx-sse.min.js"));

const lock = JSON.parse(readFileSync("package-lock.json", "utf8")).packages;
const bundled = Object.keys(metafile.inputs).map((path) => path.match(/node_modules\/((?:@[^/]+\/)?[^/]+)/)?.[1]);
const names = [...new Set([...bundled.filter(Boolean), "htmx-ext-sse", "htmx.org"])].sort();

const licences = names.map((name) => {
  const text = readFileSync(join("node_modules", name, "LICENSE"), "utf8").trim();
  return `${name} ${lock[`node_modules/${name}`].version}\n\n${text}\n`;
});
writeFileSync(join(folder, "LICENSES.txt"), licences.join(`\n${"-".repeat(80)}\n\n`));

const packages = Object.fromEntries(names.map((name) => {
  const { version, integrity } = lock[`node_modules/${name}`];
  return [name, { version, integrity }];
}));
const files = Object.fromEntries(readdirSync(folder).sort().map((name) => {
  return [name, createHash("sha256").update(readFileSync(join(folder, name))).digest("hex")];
}));
writeFileSync(join(folder, "vendor.json"), `${JSON.stringify({ packages, files }, null, 2)}\n`);
