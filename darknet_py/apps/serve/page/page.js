// The page of the server: a picture goes to /detect, boxes come back and are drawn. The threshold is applied here:
// suppression goes class by class from the surest box down, so leaving out what is less sure changes nothing above it.

const LEAST = 0.01; // what is asked for, unless a model cannot give it; the slider shows a part of it
const byId = (id) => document.getElementById(id);
const canvas = byId("canvas"), video = byId("video"), conf = byId("conf");
let picture = null, found = null, name = "dog.jpg", stream = null, asked = 0, least = LEAST;

const threshold = () => conf.value / 100;
const chosen = () => byId("model").value;
const headers = () => (byId("token").value ? { Authorization: `Bearer ${byId("token").value}` } : {});

function say(text, wrong = false) {
  byId("status").textContent = text;
  byId("status").classList.toggle("wrong", wrong);
}

async function answerOf(response) {
  const answer = await response.json().catch(() => ({ error: `status ${response.status}` }));
  if (response.status === 401) byId("token-label").hidden = false;
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

async function listModels() {
  try {
    const answer = await answerOf(await fetch("v2/repository/index", { method: "POST", body: '{"ready":true}', headers: headers() }));
    const before = chosen();
    const names = [...new Set(answer.map((model) => model.name))];
    byId("model").replaceChildren(...names.map((each) => new Option(each)));
    if (names.includes(before)) byId("model").value = before;
    say(found ? byId("status").textContent : "No picture yet.");
    await chooseModel();
  } catch (error) {
    say(error.message, true);
  }
}

async function chooseModel() {
  showCurl();
  const config = await answerOf(await fetch(`v2/models/${encodeURIComponent(chosen())}/config`, { headers: headers() }));
  least = Math.max(LEAST, config.parameters.least_conf?.string_value || 0);
}

async function detect(blob) {
  const mine = ++asked;
  const query = new URLSearchParams({ conf: least });
  if (chosen()) query.set("model", chosen());
  const start = performance.now();
  const answer = await answerOf(await fetch(`detect?${query}`, { method: "POST", body: blob, headers: headers() }));
  if (mine !== asked) return; // a later picture was faster
  found = answer;
  found.whole = (performance.now() - start) / 1000;
}

async function take(blob, called) {
  stopCamera();
  say("Looking …");
  try {
    const bitmap = await createImageBitmap(blob).catch(() => { throw new Error("This is no picture that the browser can read."); });
    await detect(blob);
    [picture, name] = [bitmap, called || "picture.png"];
    draw();
  } catch (error) {
    say(error.message, true);
  }
}

function shown() {
  if (!found) return [];
  const all = found.objects || found.classes.map((one) => ({ ...one, box: null }));
  return all.filter((one) => one.confidence >= threshold());
}

const colourOf = (number) => `hsl(${(number * 137.5) % 360} 85% 34%)`;

function draw() {
  if (!picture || !found) return;
  const size = picture.videoWidth ? [picture.videoWidth, picture.videoHeight] : [picture.width, picture.height];
  [canvas.width, canvas.height] = size;
  const pen = canvas.getContext("2d"), unit = Math.max(size[0], size[1]) / 640;
  pen.drawImage(picture, 0, 0);
  pen.lineWidth = 3 * unit;
  pen.font = `${16 * unit}px sans-serif`;
  pen.textBaseline = "top";
  const objects = shown();
  for (const one of objects.filter((each) => each.box)) {
    const [left, top, right, bottom] = one.box, label = `${one.name} ${Math.round(100 * one.confidence)} %`;
    pen.strokeStyle = pen.fillStyle = colourOf(one.class_id);
    pen.strokeRect(left, top, right - left, bottom - top);
    const height = 20 * unit, y = Math.max(0, top - height), x = Math.max(0, left);
    pen.fillRect(x, y, pen.measureText(label).width + 8 * unit, height);
    pen.fillStyle = "#fff";
    pen.fillText(label, x + 4 * unit, y + 2 * unit);
  }
  byId("rows").replaceChildren(...objects.map(rowOf));
  const count = objects.length === 1 ? "1 object" : `${objects.length} objects`;
  byId("caption").textContent = `${count} at least ${conf.value} % sure`;
  const told = objects.map((one) => `${one.name} ${Math.round(100 * one.confidence)} %`).join(", ") || "nothing";
  canvas.setAttribute("aria-label", `The picture with ${told}`);
  if (!stream) say(`Found ${count}.`);
  const ms = (seconds) => `${Math.round(1000 * seconds)} ms`;
  const { prepare, network, boxes } = found.seconds;
  byId("times").textContent = `${ms(found.whole)} in all: ${ms(prepare)} to decode and resize, ${ms(network)} for the ` +
    `network and its queue, ${ms(boxes)} for boxes; ${found.width} x ${found.height} pixels`;
  showCurl();
}

function rowOf(one) {
  const row = document.createElement("tr");
  const where = one.box ? one.box.map(Math.round).join(", ") : "";
  for (const text of [one.name, `${Math.round(100 * one.confidence)} %`, where]) row.insertCell().textContent = text;
  return row;
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`; // as a shell reads it

function showCurl() {
  const query = new URLSearchParams({ conf: threshold() });
  if (byId("model").options.length > 1) query.set("model", chosen());
  const token = byId("token").value ? '-H "Authorization: Bearer $TOKEN" ' : "";
  byId("curl").textContent = `curl ${token}--data-binary ${quoted(`@${name}`)} ${quoted(new URL(`detect?${query}`, location.href).href)}`;
}

async function startCamera() {
  try {
    if (!navigator.mediaDevices) throw new Error("Browsers give a camera only to this machine's own pages, or by TLS.");
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" }, audio: false });
  } catch (error) {
    say(`No camera: ${error.message}`, true);
    return;
  }
  byId("camera").setAttribute("aria-pressed", "true");
  video.srcObject = stream;
  await video.play();
  say("The camera is on.");
  const frame = document.createElement("canvas");
  while (stream) {
    [frame.width, frame.height] = [video.videoWidth, video.videoHeight];
    frame.getContext("2d").drawImage(video, 0, 0);
    const blob = await new Promise((done) => frame.toBlob(done, "image/jpeg", 0.9));
    try {
      await detect(blob);
      [picture, name] = [frame, "frame.jpg"];
      if (stream) draw();
    } catch (error) {
      say(error.message, true);
      await new Promise((done) => setTimeout(done, 1000));
    }
  }
}

function stopCamera() {
  if (!stream) return;
  for (const track of stream.getTracks()) track.stop();
  stream = video.srcObject = null;
  byId("camera").setAttribute("aria-pressed", "false");
  say("The camera is off.");
}

const drop = byId("drop");
const firstPicture = (files) => [...files].find((file) => file.type.startsWith("image/")) || files[0];
const takeFile = (files) => files.length && take(firstPicture(files), firstPicture(files).name);
byId("choose").onclick = () => byId("file").click();
byId("file").onchange = (event) => { takeFile(event.target.files); event.target.value = ""; };
byId("camera").onclick = () => (stream ? stopCamera() : startCamera());
drop.ondragover = (event) => { event.preventDefault(); drop.classList.add("over"); };
drop.ondragleave = () => drop.classList.remove("over");
drop.ondrop = (event) => { event.preventDefault(); drop.classList.remove("over"); takeFile(event.dataTransfer.files); };
document.onpaste = (event) => takeFile(event.clipboardData.files);
conf.oninput = () => { byId("conf-text").textContent = conf.value; draw(); showCurl(); };
byId("model").onchange = () => chooseModel().catch((error) => say(error.message, true));
byId("token").onchange = listModels;
byId("copy").onclick = async () => {
  try {
    await navigator.clipboard.writeText(byId("curl").textContent);
    say("Copied.");
  } catch {
    getSelection().selectAllChildren(byId("curl"));
    say("Marked: copy it with the keyboard.");
  }
};
listModels();
