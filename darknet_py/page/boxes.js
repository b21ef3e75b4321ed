// From pixels to the input of a network and from its outputs to boxes, as the contract of the network says it: what
// darknet_py/vision/preprocess.py and darknet_py/contract compute, in JavaScript. No part of it knows a browser.

const f = Math.fround;

// Why a page cannot give pictures to a network, in a sentence; nothing where it can.
export function refusal(contract) {
  if (contract.states.length) return "It remembers from picture to picture, which the page does not.";
  if (contract.shape.length !== 3) return `It takes ${contract.shape[0]} numbers, and no picture.`;
  if (![1, 3].includes(contract.shape[0])) return `It takes ${contract.shape[0]} channels, and pictures of a browser have 1 or 3.`;
  if (contract.interpolation !== "darknet") return "Its pictures are resized as Pillow does it, which the page does not.";
}

// The [height, width] of a picture that was scaled to fit (image.c letterbox_image); it compares in float32.
export function letterboxSize([h, w], [netH, netW]) {
  if (f(f(netW) / f(w)) < f(f(netH) / f(h))) return [Math.max(1, Math.floor((h * netW) / w)), netW];
  return [netH, Math.max(1, Math.floor((w * netH) / h))];
}

// For each pixel of an axis the two pixels of the picture that it is mixed from, and how much of the second: `count` of
// `size` pixels from `start` on, the border repeated.
function axis(old, size, start, count, copyLast) {
  const scale = f(f(old - 1) / f(Math.max(size - 1, 1)));
  const before = new Int32Array(count), after = new Int32Array(count);
  const near = new Float32Array(count), far = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    const wanted = Math.min(Math.max(start + i, 0), size - 1), exact = f(f(wanted) * scale), last = wanted === size - 1;
    before[i] = Math.trunc(exact);
    far[i] = exact - before[i];
    near[i] = 1 - far[i];
    after[i] = Math.min(before[i] + 1, old - 1);
    if (last) far[i] = 0; // nothing is mixed into the last one
    if (last && copyLast) [before[i], near[i]] = [old - 1, 1];
  }
  return { before, after, near, far, count };
}

// Where the picture of [h, w] lies in the input, and which part of its resized form that is.
function places(contract, [h, w]) {
  const [netH, netW] = contract.shape.slice(1);
  const whole = (size, at) => ({ size, start: 0, count: size, at });
  if (contract.resize === "letterbox") {
    const [newH, newW] = letterboxSize([h, w], [netH, netW]);
    return [whole(newH, Math.floor((netH - newH) / 2)), whole(newW, Math.floor((netW - newW) / 2))];
  }
  if (contract.resize === "stretch") return [whole(netH, 0), whole(netW, 0)];
  const edge = contract.shorter_edge || netW; // the middle of what has this shorter side (image.c resize_min, crop_image)
  const [newH, newW] = w < h ? [Math.floor((h * edge) / w), edge] : [edge, Math.floor((w * edge) / h)];
  const middle = (have, want) => ({ size: have, start: Math.trunc((have - want) / 2), count: want, at: 0 });
  return [middle(Math.max(1, newH), netH), middle(Math.max(1, newW), netW)];
}

// OpenCV's grey: 0.299 R + 0.587 G + 0.114 B in whole numbers.
const grey = (pixels, i) => (pixels[i] * 4899 + pixels[i + 1] * 9617 + pixels[i + 2] * 1868 + 8192) >> 14;

// Pixels as a canvas has them ({ data, width, height }, RGBA) as the input: a Float32Array of (channels, height, width).
export function toInput(contract, { data, width, height }) {
  const [channels, netH, netW] = contract.shape;
  const [down, across] = places(contract, [height, width]);
  const rows = axis(height, down.size, down.start, down.count, false);
  const columns = axis(width, across.size, across.start, across.count, true);
  const input = new Float32Array(channels * netH * netW).fill(contract.resize === "letterbox" ? 0.5 : 0);
  const [order, scale] = [[...contract.colour], contract.scale];
  const strips = new Map(); // rows of the picture that were mixed along the columns; two of them make a row
  for (let c = 0; c < channels; c++) {
    const channel = "RGBA".indexOf(order[c]);
    const value = channels === 1 ? (i) => f(grey(data, i) * scale) : (i) => f(data[i + channel] * scale);
    const strip = (y) => {
      if (!strips.has(y)) {
        const made = new Float32Array(columns.count);
        for (let x = 0; x < columns.count; x++) {
          const at = y * width;
          made[x] = f(value((at + columns.before[x]) * 4) * columns.near[x]) + f(value((at + columns.after[x]) * 4) * columns.far[x]);
        }
        strips.set(y, made);
      }
      return strips.get(y);
    };
    strips.clear();
    for (let y = 0; y < rows.count; y++) {
      const first = strip(rows.before[y]), second = strip(rows.after[y]);
      for (const old of strips.keys()) if (old < rows.before[y]) strips.delete(old);
      const at = (c * netH + down.at + y) * netW + across.at;
      for (let x = 0; x < columns.count; x++) input[at + x] = f(first[x] * rows.near[y]) + f(second[x] * rows.far[y]);
    }
  }
  return input;
}

// Overlaps of boxes [centre x, centre y, width, height] (box.c box_iou, box_diounms).
function iou(a, b) {
  const side = (i) => Math.min(a[i] + a[i + 2] / 2, b[i] + b[i + 2] / 2) - Math.max(a[i] - a[i + 2] / 2, b[i] - b[i + 2] / 2);
  const [w, h] = [side(0), side(1)];
  const intersection = w < 0 || h < 0 ? 0 : w * h;
  const union = a[2] * a[3] + b[2] * b[3] - intersection;
  return intersection === 0 || union === 0 ? 0 : intersection / union;
}

function diou(a, b, beta) {
  const hull = (i) => Math.max(a[i] + a[i + 2] / 2, b[i] + b[i + 2] / 2) - Math.min(a[i] - a[i + 2] / 2, b[i] - b[i + 2] / 2);
  const diagonal = hull(0) ** 2 + hull(1) ** 2;
  const distance = (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2;
  return iou(a, b) - (diagonal === 0 ? 0 : (distance / diagonal) ** beta);
}

const GREEDY_BETA = 0.6; // box.c box_diou; `beta_nms` only reaches diounms

// The surest boxes of one class, sorted, without those that a surer one overlaps too much.
function suppressed(contract, sorted) {
  const beta = contract.nms_kind === "diounms" ? contract.nms_beta : GREEDY_BETA;
  const plain = contract.nms_kind === "default" || contract.nms_kind === "cornersnms";
  const overlap = plain ? iou : (a, b) => diou(a, b, beta);
  const kept = [];
  for (const one of sorted) if (!kept.some((surer) => overlap(surer.place, one.place) > contract.iou)) kept.push(one);
  return kept;
}

const named = (contract, number) => contract.names[number] ?? String(number);
const HIDDEN = "dont_show"; // image.c get_actual_detections: classes whose names begin so are not shown

// The objects in `boxes` (n * 4: corners in pixels of the input) and `scores` (n * classes) of a picture of [h, w], the
// surest first: { class_id, name, confidence, box: corners in pixels of the picture }.
export function toObjects(contract, boxes, scores, [h, w], threshold) {
  const [netH, netW] = contract.shape.slice(1), classes = contract.classes, least = f(threshold);
  const [newH, newW] = contract.resize === "letterbox" ? letterboxSize([h, w], [netH, netW]) : [netH, netW];
  const border = [(netW - newW) / 2 / netW, (netH - newH) / 2 / netH], ratio = [newW / netW, newH / netH];
  const found = Array.from({ length: classes }, () => []);
  const shown = found.map((_, c) => !named(contract, c).startsWith(HIDDEN));
  for (let n = 0; n < boxes.length / 4; n++) {
    let place = null;
    for (let c = 0; c < classes; c++) {
      const confidence = scores[n * classes + c];
      if (!(confidence > least && shown[c])) continue;
      if (place === null) {
        const [left, top, right, bottom] = [0, 1, 2, 3].map((i) => f(boxes[n * 4 + i] / (i % 2 ? netH : netW)));
        const centre = [f(left + right) / 2, f(top + bottom) / 2].map((v, i) => f((v - border[i]) / ratio[i]));
        place = [...centre, f((right - left) / ratio[0]), f((bottom - top) / ratio[1])];
      }
      if (place.every(Number.isFinite) && Number.isFinite(confidence)) found[c].push({ class_id: c, confidence, place });
    }
  }
  const surest = (a, b) => b.confidence - a.confidence;
  const kept = found.flatMap((ones) => suppressed(contract, ones.sort(surest))).sort(surest);
  const objects = kept.map(({ class_id, confidence, place: [x, y, bw, bh] }) => ({
    class_id, name: named(contract, class_id), confidence,
    box: [f(x - bw / 2) * w, f(y - bh / 2) * h, f(x + bw / 2) * w, f(y + bh / 2) * h].map(f),
  }));
  return objects.filter((one) => one.box.every(Number.isFinite)); // of a network that has learned nothing
}

// The five best classes of a picture, of the outputs of a classifier.
export function toClasses(contract, probabilities) {
  const all = Array.from(probabilities, (confidence, class_id) => ({ class_id, name: named(contract, class_id), confidence }));
  return all.sort((a, b) => b.confidence - a.confidence).slice(0, 5);
}
