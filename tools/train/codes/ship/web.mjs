// What the page of a network finds, without a browser: node web.mjs PAGE LEAST < pictures.json, as JSON on stdout.
// A picture is { file, height, width }, its file RGBA bytes.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [page, least] = process.argv.slice(2);
const part = (name) => import(pathToFileURL(join(page, name)).href);
const [ort, { toInput, toObjects }] = [await part("ort.wasm.min.mjs"), await part("boxes.js")];
ort.env.wasm.numThreads = 1;
const contract = JSON.parse(readFileSync(join(page, "contract.json"), "utf8"));
const session = await ort.InferenceSession.create(readFileSync(join(page, "model.onnx")), { executionProviders: ["wasm"] });
const answers = [];
for (const { file, height, width } of JSON.parse(readFileSync(0, "utf8"))) {
  const input = toInput(contract, { data: new Uint8ClampedArray(readFileSync(file)), height, width });
  const out = await session.run({ [contract.input]: new ort.Tensor("float32", input, [1, ...contract.shape]) });
  const [boxes, scores] = session.outputNames.map((name) => out[name].data);
  answers.push(toObjects(contract, boxes, scores, [height, width], Number(least)));
}
console.log(JSON.stringify(answers));
