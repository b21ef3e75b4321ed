// What a person does with the page, in Chromium: node browser.mjs URL PICTURE FOLDER CHROMIUM PLAYWRIGHT-CORE
// Prints what was seen as one JSON object.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const [url, picture, folder, chromium, core] = process.argv.slice(2);
const { chromium: browserType } = createRequire(join(core, "package.json"))(core);
const PATIENCE = 120000;
const browser = await browserType.launch({
  executablePath: chromium,
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream", `--use-file-for-fake-video-capture=${join(folder, "camera.mjpeg")}`],
});
const seen = { foreign: [], errors: [] };
try {
  const context = await browser.newContext({
    viewport: { width: 720, height: 900 }, permissions: ["clipboard-read", "clipboard-write", "camera"],
  });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  page.on("request", (request) => request.url().startsWith(url) || /^(data|blob):/.test(request.url()) || seen.foreign.push(request.url()));
  page.on("console", (message) => message.type() === "error" && seen.errors.push(message.text()));
  page.on("pageerror", (error) => seen.errors.push(String(error)));
  const status = (text) => page.waitForFunction((t) => document.getElementById("status").textContent.startsWith(t), text);
  const rows = () => page.locator("tbody tr").evaluateAll((all) => all.map((row) => [...row.cells].map((cell) => cell.textContent)));

  await page.goto(url);
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
  seen.found = await rows();
  seen.label = await page.locator("#canvas").getAttribute("aria-label");
  seen.times = await page.locator("#times").textContent();
  seen.size = await page.evaluate(() => [document.getElementById("canvas").width, document.getElementById("canvas").height]);
  seen.tree = await page.locator("body").ariaSnapshot();
  seen.unlabelled = await page.evaluate(() => [...document.querySelectorAll("input:not([hidden]),select,button,canvas")]
    .filter((one) => !(one.labels?.length || one.textContent.trim() || one.ariaLabel)).map((one) => one.id));
  await page.screenshot({ path: join(folder, "page.png"), fullPage: true });

  await page.locator("#conf").focus();
  await page.keyboard.press("End");
  seen.atMost = await rows();
  await page.keyboard.press("Home");
  seen.atLeast = await rows();
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
  seen.dropped = await rows();

  await page.locator("#file").setInputFiles({ name: "no.png", mimeType: "image/png", buffer: Buffer.from("no picture") });
  await status("This is no picture");
  seen.wrong = await page.locator("#status").evaluate((one) => one.className);

  await page.evaluate(() => document.getElementById("rows").replaceChildren());
  await page.locator("#camera").click();
  await page.waitForFunction(() => document.querySelectorAll("tbody tr").length);
  seen.camera = await rows();
  seen.pressed = await page.locator("#camera").getAttribute("aria-pressed");
  await page.locator("#camera").click();
  await status("The camera is off");

  await page.emulateMedia({ colorScheme: "dark" });
  await page.setViewportSize({ width: 360, height: 700 });
  seen.wide = await page.evaluate(() => document.documentElement.scrollWidth);
} finally {
  await browser.close();
}
console.log(JSON.stringify(seen));
