// The worker: decodes and encodes, so that the page never waits. After weights.js.

let networks = {};

/** Return sprites as RGBA bytes, one after the other. */
function decoded(z, latentSize, side) {
  const plane = side * side;
  const count = z.length / latentSize;
  const pixels = new Uint8ClampedArray(4 * plane * count).fill(255);
  for (let n = 0; n < count; n++) {
    const logits = forward(networks.decoder, z.subarray(n * latentSize, (n + 1) * latentSize));
    for (let i = 0; i < logits.length; i++) {
      const channel = Math.floor(i / plane);
      pixels[4 * (n * plane + (i % plane)) + channel] = 255 / (1 + Math.exp(-logits[i]));
    }
  }
  return pixels;
}

const tasks = {
  async load({ decoder, encoder }) {
    networks = { decoder: await unpacked(decoder), encoder: encoder && (await unpacked(encoder)) };
    return null;
  },
  decode: ({ z, latentSize, side }) => decoded(z, latentSize, side),
  encode: ({ x }) => forward(networks.encoder, x), // mean, then log variance
};

self.onmessage = async ({ data }) => {
  try {
    self.postMessage({ answer: await tasks[data.task](data) });
  } catch (error) {
    self.postMessage({ error: String(error) });
  }
};
