// The page of one network: contract.json says what goes in and what comes out, model.onnx computes it.

import { LEAST, byId, say, startLook } from "./look.js";
import { openNetwork, timesOf } from "./network.js";

const opening = open();
opening.catch((error) => { byId("network").textContent = ""; say(`The network cannot be loaded: ${error.message}`, true); });

async function open() {
  const answer = await fetch("contract.json");
  if (!answer.ok) throw new Error(`contract.json: status ${answer.status}`);
  const contract = await answer.json();
  byId("conf").value = byId("conf-text").textContent = Math.round(100 * contract.threshold);
  const look = await openNetwork(contract, "model.onnx", Math.min(LEAST, contract.threshold));
  byId("network").textContent = `${contract.cfg}, ${contract.shape.slice(1).reverse().join(" x ")} pixels, ${contract.classes} classes`;
  return look;
}

startLook({
  detect: async ({ picture }) => (await opening)(picture),
  shown: (found) => { byId("times").textContent = timesOf(found); },
});
