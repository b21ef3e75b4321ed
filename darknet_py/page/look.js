// What the pages of darknet-py have in common: a picture is dropped, pasted, chosen or filmed, and shown with its boxes
// and a table. The threshold is applied here: suppression goes class by class from the surest box down, so leaving out
// what is less sure changes nothing above it.

export const LEAST = 0.01; // what is asked for, where a model can give it; the slider shows a part of it
export const byId = (id) => document.getElementById(id);
export const threshold = () => byId("conf").value / 100;
export const inMs = (seconds) => `${Math.round(1000 * seconds)} ms`;
const colourOf = (number) => `hsl(${(number * 137.5) % 360} 85% 34%)`;
const percent = (one) => `${Math.round(100 * one.confidence)} %`;

export function say(text, wrong = false) {
  byId("status").textContent = text;
  byId("status").classList.toggle("wrong", wrong);
}

// Start a page. `detect({ picture, blob })` gives what is in a picture as `Results.to_dict` has it, or undefined where
// a later one was faster; `blob()` is the picture as a file. `shown(found, name)` is called when something is shown.
export function startLook({ detect, shown = () => {}, moved = () => {} }) {
  const canvas = byId("canvas"), video = byId("video"), conf = byId("conf"), drop = byId("drop");
  let picture = null, found = null, name = "", stream = null;

  async function show(source, called, worth = () => true) {
    const answer = await detect(source);
    if (!answer || !worth()) return;
    [picture, name, found] = [source.picture, called, answer];
    draw();
    document.dispatchEvent(new CustomEvent("found", { detail: found })); // for whoever builds on the page
  }

  async function take(blob, called) {
    stopCamera();
    say("Looking …");
    try {
      // As OpenCV decodes: turned as the camera was held, and without a colour profile.
      const bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none", imageOrientation: "from-image" })
        .catch(() => { throw new Error("This is no picture that the browser can read."); });
      await show({ picture: bitmap, blob: async () => blob }, called || "picture.png");
    } catch (error) {
      say(error.message, true);
    }
  }

  function objectsShown() {
    const all = found.objects || found.classes.map((one) => ({ ...one, box: null }));
    return all.filter((one) => one.confidence >= threshold());
  }

  function draw() {
    if (!picture) return;
    [canvas.width, canvas.height] = [picture.width, picture.height];
    const pen = canvas.getContext("2d"), unit = Math.max(canvas.width, canvas.height) / 640;
    pen.drawImage(picture, 0, 0);
    pen.lineWidth = 3 * unit;
    pen.font = `${16 * unit}px sans-serif`;
    pen.textBaseline = "top";
    const objects = objectsShown();
    for (const one of objects.filter((each) => each.box)) {
      const [left, top, right, bottom] = one.box, label = `${one.name} ${percent(one)}`;
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
    const told = objects.map((one) => `${one.name} ${percent(one)}`).join(", ") || "nothing";
    canvas.setAttribute("aria-label", `The picture with ${told}`);
    if (!stream) say(`Found ${count}.`);
    shown(found, name);
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
    const blob = () => new Promise((done) => frame.toBlob(done, "image/jpeg", 0.9));
    while (stream) {
      [frame.width, frame.height] = [video.videoWidth, video.videoHeight];
      frame.getContext("2d").drawImage(video, 0, 0);
      try {
        await show({ picture: frame, blob }, "frame.jpg", () => stream);
        await new Promise(requestAnimationFrame); // the page is drawn and heard between two frames
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

  const takeFile = (file) => file && take(file, file.name);
  byId("choose").onclick = () => byId("file").click();
  byId("camera").onclick = () => (stream ? stopCamera() : startCamera());
  whenGiven(drop, byId("file"), (files) => takeFile(files.find((file) => file.type.startsWith("image/")) || files[0]));
  document.onpaste = (event) => takeFile(event.clipboardData.files[0]);
  conf.oninput = () => { byId("conf-text").textContent = conf.value; draw(); moved(name); };
}

// Call `take` with the files that are dropped on an element, or chosen with an input.
export function whenGiven(drop, input, take) {
  input.onchange = () => { take([...input.files]); input.value = ""; };
  drop.ondragover = (event) => { event.preventDefault(); drop.classList.add("over"); };
  drop.ondragleave = () => drop.classList.remove("over");
  drop.ondrop = (event) => { event.preventDefault(); drop.classList.remove("over"); take([...event.dataTransfer.files]); };
}

function rowOf(one) {
  const row = document.createElement("tr");
  const where = one.box ? one.box.map(Math.round).join(", ") : "";
  for (const text of [one.name, percent(one), where]) row.insertCell().textContent = text;
  return row;
}
