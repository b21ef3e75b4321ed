// What a person does with the page, in Chromium: node browser.mjs CHROMIUM PLAYWRIGHT-CORE URL FOLDER PICTURE
// Prints what was seen as one JSON object.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { lookAt, openPage, rowsOf, since } from "../opening.mjs";

const [chromium, core, url, folder, picture] = process.argv.slice(2);
const { browser, page, seen } = await openPage([chromium, core, url], 720,
  { film: join(folder, "camera.mjpeg"), may: ["clipboard-read", "clipboard-write"] });
const status = (text) => page.waitForFunction((t) => document.getElementById("status").textContent.startsWith(t), text);
try {
  await page.waitForFunction(() => document.getElementById("model").options.length);
  seen.order = [];
  for (let i = 0; i < 6; i++) {
    await page.keyboard.press("Tab");
    seen.order.push(await page.evaluate(() => document.activeElement.id));
  }

  const choosing = page.waitForEvent("filechooser"); // by the keyboard
  await page.locator("#choose").focus();
  await page.keyboard.press("Enter");
  await (await choosing).setFiles(picture);
  await status("Found ");
  seen.found = await rowsOf(page);
  seen.label = await page.locator("#canvas").getAttribute("aria-label");
  seen.times = await page.locator("#times").textContent();
  seen.size = await page.evaluate(() => [document.getElementById("canvas").width, document.getElementById("canvas").height]);
  seen.tree = await page.locator("body").ariaSnapshot();
  await page.screenshot({ path: join(folder, "page.png"), fullPage: true });

  await page.locator("#conf").focus();
  await page.keyboard.press("End");
  seen.atMost = await rowsOf(page);
  await page.keyboard.press("Home");
  seen.atLeast = await rowsOf(page);
  await page.locator("#conf").fill("50");
  await page.locator("#copy").click();
  await status("Copied");
  seen.curl = await page.evaluate(() => navigator.clipboard.readText());

  await page.evaluate(() => document.getElementById("rows").replaceChildren());
  const data = readFileSync(picture).toString("base64");
  await page.evaluate((text) => {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0)), transfer = new DataTransfer();
    transfer.items.add(new File([bytes], "dropped.png", { type: "image/png" }));
    document.getElementById("drop").dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true }));
  }, data);
  await page.waitForFunction(() => document.querySelectorAll("tbody tr").length);
  seen.dropped = await rowsOf(page);

  await page.locator("#file").setInputFiles({ name: "no.png", mimeType: "image/png", buffer: Buffer.from("no picture") });
  await status("This is no picture");
  seen.wrong = await page.locator("#status").evaluate((one) => one.className);

  await page.evaluate(() => document.getElementById("rows").replaceChildren());
  await page.locator("#camera").click();
  await page.waitForFunction(() => document.querySelectorAll("tbody tr").length);
  seen.camera = await rowsOf(page);
  seen.pressed = await page.locator("#camera").getAttribute("aria-pressed");
  await page.locator("#camera").click();
  await status("The camera is off");

  await page.emulateMedia({ colorScheme: "dark" });
  await lookAt(page, seen);
  seen.foreign = since(seen, 0).filter((one) => !one.split(" ")[1].startsWith(url));
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));
