// What a person does with a page that runs the network itself, in Chromium: node page.mjs CHROMIUM PLAYWRIGHT-CORE URL FOLDER PICTURE...
// Prints what was found in each picture, and what the page asked for, as one JSON object.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { lookAt, openPage, since } from "./opening.mjs";

const [chromium, core, url, folder, ...pictures] = process.argv.slice(2);
const film = join(folder, "camera.mjpeg");
const { browser, page, seen } = await openPage([chromium, core, url], 720, ["--use-fake-ui-for-media-stream",
  "--use-fake-device-for-media-stream", ...(existsSync(film) ? [`--use-file-for-fake-video-capture=${film}`] : [])]);
seen.pictures = [];
try {
  const asked = seen.asked.length;
  for (const picture of pictures) {
    await page.evaluate(() => { document.getElementById("status").textContent = ""; });
    await page.locator("#file").setInputFiles(picture);
    await page.waitForFunction(() => /^(Found|This)/.test(document.getElementById("status").textContent));
    seen.pictures.push(await page.evaluate(() => window.lastFound || null));
  }
  seen.rows = await page.locator("#rows tr").evaluateAll((all) => all.map((row) => [...row.cells].map((cell) => cell.textContent)));
  seen.later = since(seen, asked);
  await page.screenshot({ path: join(folder, "page.png"), fullPage: true });
  if (existsSync(film)) {
    await page.evaluate(() => document.getElementById("rows").replaceChildren());
    await page.locator("#camera").click();
    const count = seen.pictures[0].objects.filter((one) => one.confidence > 0.25).length; // the first frames may be any
    await page.waitForFunction((all) => document.querySelectorAll("#rows tr").length === all, count);
    seen.camera = await page.locator("#rows tr").evaluateAll((all) => all.map((row) => row.cells[0].textContent));
    await page.locator("#camera").click();
  }
  await lookAt(page, seen);
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));
