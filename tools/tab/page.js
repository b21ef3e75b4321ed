// The compiler in a browser tab: files are dropped, a worker runs darknet-py on them, and onnxruntime-web what it wrote.

import { LEAST, byId, say, startLook, whenGiven } from "./look.js";
import { refusal } from "./boxes.js";
import { openNetwork, timesOf } from "./network.js";

// The worker is a blob, so that the policy of this page is its policy too: a file of its own would have none.
const start = `import ${JSON.stringify(new URL("worker.js", location.href).href)};`;
const worker = new Worker(URL.createObjectURL(new Blob([start], { type: "text/javascript" })), { type: "module" });
const waiting = new Map();
let asked = 0, look = null, files = {}, model = null;

worker.onmessage = ({ data: { id, value, error } }) => {
  const { resolve, reject } = waiting.get(id);
  waiting.delete(id);
  if (error) reject(new Error(error));
  else resolve(value);
};
worker.onerror = (event) => tell(`The compiler has stopped: ${event.message}`, true);

function ask(what, ...given) {
  return new Promise((resolve, reject) => {
    waiting.set(++asked, { resolve, reject });
    worker.postMessage({ id: asked, what, given });
  });
}

function tell(text, wrong = false) {
  byId("told").textContent = text;
  byId("told").classList.toggle("wrong", wrong);
}

const kindOf = (file) => (/\.cfg$/i.test(file.name) ? "cfg" : /\.names$/i.test(file.name) ? "names" : "weights");

async function take(given) {
  for (const file of given) files[kindOf(file)] = file;
  if (given.some((file) => kindOf(file) === "cfg") && !given.some((file) => kindOf(file) === "weights")) {
    delete files.weights; // those of another network
  }
  if (!files.cfg) return tell("A .cfg is missing: it says what the weights are of.", true);
  try {
    tell(`Reading ${files.cfg.name} …`);
    show(await ask("examine", files.cfg));
    if (!files.weights) return tell("That is all that the .cfg says. Drop its .weights too, and it runs here.");
    tell(`Reading ${files.weights.name} …`);
    const { bytes, contract } = await ask("export", files.cfg, files.weights, files.names);
    model = new Blob([bytes], { type: "application/octet-stream" });
    byId("save").disabled = false;
    const why = refusal(contract);
    if (why) return tell(`${files.cfg.name} is an ONNX file to save. ${why}`);
    look = await openNetwork(contract, bytes, LEAST);
    byId("picture-part").hidden = false;
    say("No picture yet.");
    tell(`${files.cfg.name} is ready: give it a picture.`);
  } catch (error) {
    tell(error.message, true);
  }
}

function show({ diagnostics, layers, totals, svg, error }) {
  byId("save").disabled = true;
  byId("picture-part").hidden = true;
  byId("problems-part").hidden = !diagnostics?.length;
  byId("layers-part").hidden = !layers;
  byId("drawing-part").hidden = !svg;
  if (error) throw new Error(error);
  byId("diagnostics").textContent = diagnostics.map((one) => one.text).join("\n\n");
  byId("layer-rows").replaceChildren(...(layers || []).map(rowOf));
  byId("totals").hidden = !totals;
  byId("totals").textContent = totals || "";
  if (svg) {
    const drawing = byId("drawing");
    URL.revokeObjectURL(drawing.src);
    drawing.src = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
    drawing.alt = `The network as a drawing: the ${layers.length} layers of the table above, and the ways between them`;
  }
  const wrong = diagnostics.filter((one) => one.severity === "error").length;
  if (wrong) throw new Error(`${files.cfg.name} has ${wrong === 1 ? "an error" : `${wrong} errors`}: what is wrong stands below.`);
}

function rowOf(layer) {
  const row = document.createElement("tr"), size = (shape) => (shape || []).join(" x ");
  const window = layer.size ? `${layer.size} / ${[...new Set(layer.stride)].join(" x ")}` : "";
  const cells = [layer.index, layer.type, layer.filters ?? "", window, (layer.from || []).map((one) => (one < 0 ? "the picture" : one)).join(", "), size(layer.in), size(layer.out),
    layer.bflops ? layer.bflops.toFixed(3) : "", layer.params ? layer.params.toLocaleString("en") : ""];
  for (const text of cells) row.insertCell().textContent = text;
  return row;
}

byId("save").onclick = () => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(model);
  link.download = files.cfg.name.replace(/\.cfg$/i, ".onnx");
  link.click();
};
byId("choose-network").onclick = () => byId("network-files").click();
whenGiven(byId("drop-network"), byId("network-files"), take);
startLook({
  detect: ({ picture }) => look(picture),
  shown: (found) => { byId("times").textContent = timesOf(found); },
});
ask("start").then(
  ({ version, numpy }) => { byId("network").textContent = numpy ? `darknet-py ${version}` : `darknet-py ${version}, without NumPy: no weights`; },
  (error) => { byId("network").textContent = ""; tell(`The compiler cannot be loaded: ${error.message}`, true); },
);
