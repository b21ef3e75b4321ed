// The arithmetic of the page without a page: node arithmetic.mjs BOXES.JS < cases.json
import { readFileSync } from "node:fs";

const { toClasses, toInput, toObjects } = await import(process.argv[2]);
const answers = JSON.parse(readFileSync(0, "utf8")).map(({ contract, pixels, boxes, scores, size, threshold }) => {
  if (pixels) return [...toInput(contract, pixels)];
  return boxes ? toObjects(contract, boxes, scores, size, threshold) : toClasses(contract, scores);
});
console.log(JSON.stringify(answers));
