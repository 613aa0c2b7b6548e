import * as ort from "./ort.wasm.min.mjs";
import { squash } from "./resize.js";

const LARGEST = 2048; // pixels along a side; larger pictures are reduced first, phones refuse larger canvases
const part = (id) => document.getElementById(id);
let model, words, session, stream = null, live = false;

const fill = (text, values = {}) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
const percent = (share) => `${Math.floor(share * 100)} %`;

async function start() {
  model = await (await fetch("model.json")).json();
  words = model.words;
  document.documentElement.lang = model.language;
  document.title = part("name").textContent = model.name;
  part("about").textContent = model.about;
  part("choose").textContent = words.choose;
  part("camera").textContent = words.camera;
  part("map-label").textContent = words.map;
  tell(words.loading, "small");
  ort.env.wasm.numThreads = 1;
  const bytes = new Uint8Array(await (await fetch("model.onnx")).arrayBuffer());
  session = await ort.InferenceSession.create(bytes, { executionProviders: ["wasm"] });
  tell(words.ready, "small");
  part("camera").hidden = !(window.isSecureContext && navigator.mediaDevices && navigator.mediaDevices.getUserMedia);
  if ("serviceWorker" in navigator && window.isSecureContext) {
    navigator.serviceWorker.register("sw.js").catch(() => {});
  }
}

/** The picture as RGBA, upright, on white: {data, width, height}, drawn on the large canvas as well. */
async function draw(source) {
  let { width, height } = source;
  const canvas = part("picture"), context = canvas.getContext("2d", { willReadFrequently: true });
  [canvas.width, canvas.height] = [width, height];
  context.fillStyle = "#fff";
  context.fillRect(0, 0, width, height);
  context.drawImage(source, 0, 0);
  part("stage").hidden = false;
  return context.getImageData(0, 0, width, height);
}

async function opened(blob) {
  const options = { imageOrientation: "from-image", premultiplyAlpha: "premultiply" };
  const whole = await createImageBitmap(blob, options);
  const scale = Math.min(1, LARGEST / Math.max(whole.width, whole.height));
  if (scale === 1) return whole;
  const size = { resizeWidth: Math.max(1, Math.round(whole.width * scale)),
    resizeHeight: Math.max(1, Math.round(whole.height * scale)), resizeQuality: "high" };
  whole.close();
  return createImageBitmap(blob, { ...options, ...size });
}

/** What the model says of a picture: {probabilities, unlike, maps, decision, best}. */
async function ask(image) {
  const size = model.size, square = squash(image.data, image.width, image.height, size);
  const input = new ort.Tensor("uint8", square, [1, size, size, 3]);
  const out = await session.run({ pixels: input });
  const probabilities = Array.from(out.probabilities.data), unlike = out.unlike.data[0];
  const best = probabilities.indexOf(Math.max(...probabilities));
  const decision = probabilities[best] >= model.thresholds[best] && unlike <= model.unlike_above ? "accept" : "reject";
  return { probabilities, unlike, best, decision, maps: out.maps };
}

/** Answer a file; tests call it too. */
async function answer(blob) {
  const source = await opened(blob);
  const image = await draw(source);
  source.close();
  const result = await ask(image);
  show(result);
  return result;
}

function tell(text, look = "") {
  part("answer").textContent = text;
  part("answer").className = look;
  part("reason").textContent = "";
}

function show({ probabilities, unlike, best, decision, maps }) {
  const present = model.present_above.length
    ? probabilities.map((_, index) => index).filter((index) => probabilities[index] >= model.present_above[index])
    : [best];
  tell(present.length ? present.map((index) => model.classes[index]).join(", ") : words.none,
    decision === "reject" ? "unsure" : "");
  if (unlike > model.unlike_above) part("reason").textContent = words.unlike;
  else if (decision === "reject") part("reason").textContent = words.unsure;
  const order = probabilities.map((_, index) => index).sort((a, b) => probabilities[b] - probabilities[a]).slice(0, 5);
  part("classes").replaceChildren(...order.map((index) => {
    const row = document.createElement("li"), name = document.createElement("span");
    const bar = document.createElement("progress"), number = document.createElement("span");
    name.textContent = name.title = model.classes[index];
    name.className = "name";
    bar.value = probabilities[index];
    bar.setAttribute("aria-label", model.classes[index]);
    number.textContent = percent(probabilities[index]);
    number.className = "percent";
    row.append(name, bar, number);
    return row;
  }));
  part("switch").hidden = false;
  overlay(maps, best);
}

/** Strength is alpha, so nothing is painted where the network did not look; the colours are those of the application. */
function overlay(maps, best) {
  const [, classes, height, width] = maps.dims, data = maps.data;
  let top = 0;
  for (let at = 0; at < classes * height * width; at++) top = Math.max(top, data[at]);
  const small = new OffscreenCanvas(width, height), pixels = new ImageData(width, height);
  for (let at = 0; at < height * width; at++) {
    const strength = top > 0 ? Math.max(0, data[best * height * width + at]) / top : 0;
    const place = (0.25 + 0.75 * strength) * (model.colours.length - 1), low = Math.floor(place);
    const high = Math.min(low + 1, model.colours.length - 1);
    for (let c = 0; c < 3; c++) {
      pixels.data[at * 4 + c] = model.colours[low][c] + (place - low) * (model.colours[high][c] - model.colours[low][c]);
    }
    pixels.data[at * 4 + 3] = 255 * strength;
  }
  small.getContext("2d").putImageData(pixels, 0, 0);
  const canvas = part("overlay"), picture = part("picture");
  [canvas.width, canvas.height] = [picture.width, picture.height];
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(small, 0, 0, canvas.width, canvas.height);
  canvas.hidden = !part("map").checked;
}

async function tryAnswer(blob) {
  stopCamera();
  tell(words.looking, "small");
  try {
    await answer(blob);
  } catch {
    tell(words.unreadable, "small");
  }
}

async function watch() {
  if (live) { // freeze
    stopCamera();
    return;
  }
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  } catch {
    tell(words.refused, "small");
    return;
  }
  const video = part("video");
  video.srcObject = stream;
  await video.play();
  live = true;
  part("camera").textContent = words.freeze;
  while (live) {
    const frame = await createImageBitmap(video);
    const image = await draw(frame);
    frame.close();
    const result = await ask(image);
    if (live) show(result);
    await new Promise(requestAnimationFrame);
  }
}

function stopCamera() {
  live = false;
  if (stream) stream.getTracks().forEach((track) => track.stop());
  stream = null;
  part("camera").textContent = words.camera;
}

part("choose").addEventListener("click", () => part("file").click());
part("file").addEventListener("change", () => {
  const [file] = part("file").files;
  if (file) tryAnswer(file);
  part("file").value = "";
});
part("camera").addEventListener("click", watch);
part("map").addEventListener("change", () => { part("overlay").hidden = !part("map").checked; });
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  const [file] = event.dataTransfer.files;
  if (file) tryAnswer(file);
});
document.addEventListener("paste", (event) => {
  const [file] = event.clipboardData.files;
  if (file) tryAnswer(file);
});

window.handlens = { ready: start().catch((error) => { tell((words && words.failed) || String(error), "small"); throw error; }), answer };
