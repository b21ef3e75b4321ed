// What a person does with a page that runs the network itself, in Chromium: node page.mjs CHROMIUM PLAYWRIGHT-CORE URL FOLDER PICTURE...
// Prints what was found in each picture, and what the page asked for, as one JSON object.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { lookAt, openPage, rowsOf, since, whenLoaded } from "../opening.mjs";

const [chromium, core, url, folder, ...pictures] = process.argv.slice(2);
const film = join(folder, "camera.mjpeg");
const { browser, page, seen } = await openPage([chromium, core, url], 720, { film });
seen.pictures = [];
try {
  seen.network = await whenLoaded(page);
  const asked = seen.asked.length;
  for (const picture of pictures) {
    await page.evaluate(() => { document.getElementById("status").textContent = ""; });
    await page.locator("#file").setInputFiles(picture);
    await page.waitForFunction(() => /^(Found|This)/.test(document.getElementById("status").textContent));
    seen.pictures.push(await page.evaluate(() => window.lastFound || null));
  }
  seen.rows = await rowsOf(page);
  seen.later = since(seen, asked);
  await page.screenshot({ path: join(folder, "page.png"), fullPage: true });
  if (existsSync(film)) {
    await page.evaluate(() => document.getElementById("rows").replaceChildren());
    await page.locator("#camera").click();
    const count = seen.pictures[0].objects.filter((one) => one.confidence > 0.25).length; // the first frames may be any
    await page.waitForFunction((all) => document.querySelectorAll("#rows tr").length === all, count);
    seen.camera = (await rowsOf(page)).map((cells) => cells[0]);
    await page.locator("#camera").click();
  }
  await lookAt(page, seen);
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));
