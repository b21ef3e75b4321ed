// A network in the browser: an ONNX file of darknet-py (exported with decoded boxes, or a classifier) run by
// onnxruntime-web, whose three files lie beside this one. A page on any static host has one thread: more need two
// headers (Cross-Origin-Opener-Policy: same-origin, Cross-Origin-Embedder-Policy: require-corp).

import * as ort from "./ort.wasm.min.mjs";
import { toClasses, toInput, toObjects } from "./boxes.js";

ort.env.wasm.wasmPaths = new URL("./", import.meta.url).href;
ort.env.wasm.numThreads = globalThis.crossOriginIsolated ? Math.min(4, navigator.hardwareConcurrency) : 1;

// `model` is an address or the bytes of the file. What is given back looks at a picture (anything that a canvas draws):
// { width, height, objects or classes, seconds }, with objects above `least`.
export async function openNetwork(contract, model, least) {
  const session = await ort.InferenceSession.create(model, { executionProviders: ["wasm"] });
  const canvas = new OffscreenCanvas(1, 1);
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  return async (picture) => {
    const times = [performance.now()], { width, height } = picture;
    [canvas.width, canvas.height] = [width, height];
    pen.drawImage(picture, 0, 0);
    const input = toInput(contract, pen.getImageData(0, 0, width, height));
    times.push(performance.now());
    const out = await session.run({ [contract.input]: new ort.Tensor("float32", input, [1, ...contract.shape]) });
    times.push(performance.now());
    const [first, second] = session.outputNames.map((name) => out[name].data);
    const found = contract.boxes === "decoded"
      ? { objects: toObjects(contract, first, second, [height, width], least) }
      : { classes: toClasses(contract, first) };
    times.push(performance.now());
    const [prepare, network, boxes] = times.slice(1).map((time, i) => (time - times[i]) / 1000);
    return { width, height, ...found, seconds: { prepare, network, boxes } };
  };
}

// How long it took, in words.
export function timesOf({ seconds: { prepare, network, boxes }, width, height }) {
  const ms = (seconds) => `${Math.round(1000 * seconds)} ms`;
  return `${ms(prepare)} to resize, ${ms(network)} for the network, ${ms(boxes)} for boxes; ${width} x ${height} pixels`;
}
