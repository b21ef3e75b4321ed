// What a person does with the page that compiles: node tab.mjs CHROMIUM PLAYWRIGHT-CORE URL FOLDER STEPS
// STEPS is JSON: lists of files that are dropped one after another, and a picture. Prints what was seen as one JSON object.
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { lookAt, openPage, since, whenLoaded } from "../opening.mjs";

const [chromium, core, url, folder, steps] = process.argv.slice(2);
const { drops, picture } = JSON.parse(steps);
const { browser, page, seen } = await openPage([chromium, core, url], 900);
seen.drops = [];
try {
  seen.network = await whenLoaded(page);
  const asked = seen.asked.length;
  for (const files of drops) {
    const given = files.map((path) => ({ name: basename(path), data: readFileSync(path).toString("base64") }));
    await page.evaluate((all) => {
      const transfer = new DataTransfer();
      for (const { name, data } of all) transfer.items.add(new File([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))], name));
      document.getElementById("told").textContent = "…";
      document.getElementById("drop-network").dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
    }, given);
    await page.waitForFunction(() => !document.getElementById("told").textContent.endsWith("…"));
    seen.drops.push(await page.evaluate(() => {
      const text = (id) => document.getElementById(id).textContent, hidden = (id) => document.getElementById(id).hidden;
      return {
        told: text("told"), wrong: document.getElementById("told").classList.contains("wrong"), diagnostics: text("diagnostics"),
        totals: text("totals"), layers: document.querySelectorAll("#layer-rows tr").length, drawn: !hidden("drawing-part"),
        drawing: document.getElementById("drawing").naturalWidth, runs: !hidden("picture-part"), saves: !document.getElementById("save").disabled,
      };
    }));
  }
  await page.screenshot({ path: join(folder, "compiled.png"), fullPage: true });
  if (picture) {
    await page.locator("#file").setInputFiles(picture);
    await page.waitForFunction(() => /^(Found|This)/.test(document.getElementById("status").textContent));
    seen.found = await page.evaluate(() => window.lastFound || null);
    const saving = page.waitForEvent("download");
    await page.locator("#save").click();
    const saved = await saving;
    seen.saved = saved.suggestedFilename();
    await saved.saveAs(join(folder, "saved.onnx"));
    await page.screenshot({ path: join(folder, "tab.png"), fullPage: true });
  }
  seen.later = since(seen, asked);
  // The page may send nothing: the browser itself stops what would.
  seen.refused = await page.evaluate(async () => {
    const tries = { fetch: () => fetch("http://127.0.0.1:9/"), beacon: async () => { if (!navigator.sendBeacon("http://127.0.0.1:9/", "x")) throw 0; } };
    const failed = {};
    const stopped = new Promise((done) => document.addEventListener("securitypolicyviolation", (event) => {
      failed[event.violatedDirective] = (failed[event.violatedDirective] || 0) + 1;
      done();
    }));
    for (const go of Object.values(tries)) await go().catch(() => {});
    await Promise.race([stopped, new Promise((done) => setTimeout(done, 60000))]);
    return failed;
  });
  seen.errors = seen.errors.filter((text) => !text.includes("127.0.0.1:9"));
  await lookAt(page, seen);
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));
