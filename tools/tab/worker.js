// Where Python runs: Pyodide with the compiler in it. Files go into its memory under their own names, which messages say.

import { loadPyodide } from "./pyodide.mjs";

const here = new URL("./", import.meta.url).href;
const FOLDER = "/network";
let tab = null;

async function start() {
  const python = await loadPyodide({ indexURL: here, lockFileURL: `${here}packages.json` });
  let numpy = true;
  try {
    await python.loadPackage("numpy", { messageCallback: () => {}, errorCallback: () => {} });
    python.runPython("import numpy");
  } catch {
    numpy = false;
  }
  const answer = await fetch(`${here}compiler.zip`);
  if (!answer.ok) throw new Error(`compiler.zip: status ${answer.status}`);
  python.unpackArchive(await answer.arrayBuffer(), "zip", { extractDir: "/compiler" });
  python.runPython("import sys; sys.path.insert(0, '/compiler')");
  tab = { python, module: python.pyimport("browser.tab") };
  tab.module.prepare(numpy);
  return { version: tab.module.version(), numpy };
}

const started = start();

// The files in Python's memory, and nothing else: their paths.
async function put(files) {
  const { FS } = (await started, tab.python);
  if (FS.analyzePath(FOLDER).exists) for (const name of FS.readdir(FOLDER)) if (!/^\.+$/.test(name)) FS.unlink(`${FOLDER}/${name}`);
  FS.mkdirTree(FOLDER);
  const paths = [];
  for (const file of files) {
    paths.push(file && `${FOLDER}/${file.name}`);
    if (file) FS.writeFile(paths.at(-1), new Uint8Array(await file.arrayBuffer()));
  }
  return paths;
}

function answerOf(text) {
  const answer = JSON.parse(text);
  if (answer.error) throw new Error(answer.error);
  return answer;
}

const answers = {
  start: () => started,
  examine: async (cfg) => answerOf(tab.module.answer("examine", ...(await put([cfg])))),
  export: async (cfg, weights, names) => {
    const paths = await put([cfg, weights, names]);
    const answer = answerOf(tab.module.answer("export", ...paths, `${FOLDER}/written.onnx`));
    const bytes = tab.python.FS.readFile(`${FOLDER}/written.onnx`);
    await put([]);
    return { ...answer, bytes };
  },
};

onmessage = async ({ data: { id, what, given } }) => {
  try {
    await started;
    const value = await answers[what](...given);
    postMessage({ id, value }, value.bytes ? [value.bytes.buffer] : []);
  } catch (error) {
    postMessage({ id, error: error.message.trim().split("\n").slice(-12).join("\n") });
  }
};
