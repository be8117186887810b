// Questions to the worker, one at a time: the newest of a channel replaces one that still waits.

const FIRST = ["load", "hand", "drawing", "hover"]; // channels that all others wait for
const AT_ONCE = 4; // latents that the worker decodes before it looks at a newer question

const waiting = new Map(); // by channel: {parts, answers, resolve, reject}
let isBusy = false;
let worker;

/** Start the worker from its source; a page without a server cannot load a file. */
async function openStudio() {
  const url = URL.createObjectURL(new Blob([takeText("worker")], { type: "text/javascript" }));
  worker = new Worker(url);
  worker.onmessage = ({ data }) => answered(data);
  await ask("load", [
    {
      task: "load",
      decoder: { layers: facts.decoder, text: takeText("decoder").trim() },
      encoder: facts.encoder && { layers: facts.encoder, text: takeText("encoder").trim() },
    },
  ]);
  URL.revokeObjectURL(url);
}

/** Drop the question of a channel that still waits; one that the worker is at comes to an end. */
function forget(channel) {
  waiting.get(channel)?.resolve(null);
  waiting.delete(channel);
}

/** Return a promise of the answers to the parts of a question; of null if a newer one came. */
function ask(channel, parts) {
  forget(channel);
  return new Promise((resolve, reject) => {
    waiting.set(channel, { parts, answers: [], resolve, reject });
    if (!isBusy) askNext();
  });
}

let current; // the question that the worker is at

function askNext() {
  const channel = FIRST.find((name) => waiting.has(name)) ?? waiting.keys().next().value;
  isBusy = channel !== undefined;
  if (!isBusy) return;
  const question = waiting.get(channel);
  waiting.delete(channel);
  current = { channel, question };
  worker.postMessage(question.parts[question.answers.length]);
}

function answered({ answer, error }) {
  const { channel, question } = current;
  question.answers.push(answer);
  if (error) question.reject(new Error(error));
  else if (question.answers.length === question.parts.length) question.resolve(question.answers);
  else if (waiting.has(channel)) question.resolve(null);
  else waiting.set(channel, question); // behind the others: they take turns
  askNext();
}

/** Return a promise of decoded sprites, each RGBA with its background cut out; or of null. */
async function decode(channel, latents) {
  const parts = [];
  if (!latents.length) {
    forget(channel);
    return [];
  }
  for (let k = 0; k < latents.length; k += AT_ONCE) {
    const some = latents.slice(k, k + AT_ONCE);
    const z = new Float32Array(some.length * latentSize);
    some.forEach((latent, i) => z.set(latent, i * latentSize));
    parts.push({ task: "decode", z, latentSize, side });
  }
  const answers = await ask(channel, parts);
  return answers && answers.flatMap((pixels) =>
    Array.from({ length: pixels.length / (4 * side * side) }, (_, k) => spriteOf(pixels, k)));
}

/** Return a promise of the mean and the deviation of q(z | x), x in [0, 1] channel by channel. */
async function encode(x) {
  const answers = await ask("drawing", [{ task: "encode", x }]);
  if (!answers) return null;
  const [both] = answers;
  return {
    mean: both.slice(0, latentSize),
    deviation: both.slice(latentSize).map((logvar) => Math.exp(logvar / 2)),
  };
}
