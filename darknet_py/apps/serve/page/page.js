// The page of the server: a picture goes to /detect, boxes come back and are shown.
import { LEAST, byId, inMs, say, startLook, threshold } from "./look.js";

let name = "dog.jpg", asked = 0, least = LEAST;
const chosen = () => byId("model").value;
const headers = () => (byId("token").value ? { Authorization: `Bearer ${byId("token").value}` } : {});

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
    if (!asked) say("No picture yet.");
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

async function detect({ blob }) {
  const mine = ++asked;
  const query = new URLSearchParams({ conf: least });
  if (chosen()) query.set("model", chosen());
  const body = await blob(), start = performance.now();
  const found = await answerOf(await fetch(`detect?${query}`, { method: "POST", body, headers: headers() }));
  return mine === asked ? { ...found, whole: (performance.now() - start) / 1000 } : undefined;
}

function shown(found, called) {
  name = called;
  const { prepare, network, boxes } = found.seconds;
  byId("times").textContent = `${inMs(found.whole)} in all: ${inMs(prepare)} to decode and resize, ${inMs(network)} for the ` +
    `network and its queue, ${inMs(boxes)} for boxes; ${found.width} x ${found.height} pixels`;
  showCurl();
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`; // as a shell reads it

function showCurl() {
  const query = new URLSearchParams({ conf: threshold() });
  if (byId("model").options.length > 1) query.set("model", chosen());
  const token = byId("token").value ? '-H "Authorization: Bearer $TOKEN" ' : "";
  byId("curl").textContent = `curl ${token}--data-binary ${quoted(`@${name}`)} ${quoted(new URL(`detect?${query}`, location.href).href)}`;
}

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
startLook({ detect, shown, moved: showCurl });
listModels();
