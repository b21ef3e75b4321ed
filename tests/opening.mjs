// A page in Chromium without a window, and what is seen of it: errors, and every address that it asks for.
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

// `film` is what the camera shows, where that file is there; `may` are permissions beside that for the camera.
export async function openPage([chromium, core, url], width, { film = "", may = [] } = {}) {
  const { chromium: browserType } = createRequire(join(core, "package.json"))(core);
  const camera = existsSync(film) ? [`--use-file-for-fake-video-capture=${film}`] : [];
  const browser = await browserType.launch({
    executablePath: chromium,
    args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--use-fake-ui-for-media-stream",
      "--use-fake-device-for-media-stream", ...camera],
  });
  const seen = { asked: [], errors: [] };
  const context = await browser.newContext({
    viewport: { width, height: 1000 }, permissions: ["camera", ...may], acceptDownloads: true,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(300000);
  context.on("request", (request) => seen.asked.push(`${request.method()} ${request.url()}`));
  page.on("console", (message) => message.type() === "error" && seen.errors.push(message.text()));
  page.on("pageerror", (error) => seen.errors.push(String(error)));
  await page.addInitScript(() => document.addEventListener("found", (event) => { window.lastFound = event.detail; }));
  await page.goto(url);
  return { browser, page, seen };
}

// What a page that loads something first says once it has.
export async function whenLoaded(page) {
  await page.waitForFunction(() => !document.getElementById("network").textContent.endsWith("…"));
  return page.locator("#network").textContent();
}

// The cells of the table of what was found.
export const rowsOf = (page) =>
  page.locator("#rows tr").evaluateAll((all) => all.map((row) => [...row.cells].map((cell) => cell.textContent)));

// What was asked for since `before` requests; blobs and data are no addresses.
export const since = (seen, before) => seen.asked.slice(before).filter((one) => !/ (blob|data):/.test(one));

// What no one can hear the name of, and how wide the page is on a telephone.
export async function lookAt(page, seen) {
  seen.unlabelled = await page.evaluate(() => [...document.querySelectorAll("input:not([hidden]),select,button,canvas,img")]
    .filter((one) => !(one.labels?.length || one.textContent.trim() || one.ariaLabel || one.alt)).map((one) => one.id));
  await page.setViewportSize({ width: 360, height: 700 });
  seen.wide = await page.evaluate(() => document.documentElement.scrollWidth);
}
