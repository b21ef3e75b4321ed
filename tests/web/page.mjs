// What a person does with a page that runs the network itself, in Chromium: node page.mjs CHROMIUM PLAYWRIGHT-CORE URL FOLDER PICTURE...
// Prints what was found in each picture, and what the page asked for, as one JSON object.
import { createRequire } from "node:module";
import { existsSync } from "node:fs";
import { join } from "node:path";

const [chromium, core, url, folder, ...pictures] = process.argv.slice(2);
const { chromium: browserType } = createRequire(join(core, "package.json"))(core);
const film = join(folder, "camera.mjpeg");
const browser = await browserType.launch({
  executablePath: chromium,
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream",
    ...(existsSync(film) ? [`--use-file-for-fake-video-capture=${film}`] : [])],
});
const seen = { pictures: [], asked: [], errors: [] };
try {
  const context = await browser.newContext({ viewport: { width: 720, height: 900 }, permissions: ["camera"] });
  const page = await context.newPage();
  page.setDefaultTimeout(240000);
  page.on("request", (request) => seen.asked.push(`${request.method()} ${request.url()}`));
  page.on("console", (message) => message.type() === "error" && seen.errors.push(message.text()));
  page.on("pageerror", (error) => seen.errors.push(String(error)));
  await page.addInitScript(() => document.addEventListener("found", (event) => { window.lastFound = event.detail; }));
  await page.goto(url);
  await page.waitForFunction(() => !document.getElementById("network").textContent.endsWith("…"));
  seen.network = await page.locator("#network").textContent();
  const asked = seen.asked.length;
  for (const picture of pictures) {
    await page.evaluate(() => { document.getElementById("status").textContent = ""; });
    await page.locator("#file").setInputFiles(picture);
    await page.waitForFunction(() => /^(Found|This)/.test(document.getElementById("status").textContent));
    seen.pictures.push(await page.evaluate(() => window.lastFound || null));
  }
  seen.rows = await page.locator("#rows tr").evaluateAll((all) => all.map((row) => [...row.cells].map((cell) => cell.textContent)));
  seen.later = seen.asked.slice(asked).filter((one) => !/ (blob|data):/.test(one));
  seen.unlabelled = await page.evaluate(() => [...document.querySelectorAll("input:not([hidden]),select,button,canvas")]
    .filter((one) => !(one.labels?.length || one.textContent.trim() || one.ariaLabel)).map((one) => one.id));
  await page.screenshot({ path: join(folder, "page.png"), fullPage: true });
  if (existsSync(film)) {
    await page.evaluate(() => document.getElementById("rows").replaceChildren());
    await page.locator("#camera").click();
    const count = seen.pictures[0].objects.filter((one) => one.confidence > 0.25).length; // the first frames may be any
    await page.waitForFunction((all) => document.querySelectorAll("#rows tr").length === all, count);
    seen.camera = await page.locator("#rows tr").evaluateAll((all) => all.map((row) => row.cells[0].textContent));
    await page.locator("#camera").click();
  }
  await page.setViewportSize({ width: 360, height: 700 });
  seen.wide = await page.evaluate(() => document.documentElement.scrollWidth);
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));
