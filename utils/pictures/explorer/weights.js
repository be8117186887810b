// A network from the text that weights.py packs: runs in the worker.

/** Return the bytes of a base64 text, inflated. */
async function inflated(text) {
  const characters = atob(text);
  const bytes = new Uint8Array(characters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = characters.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

/** Return layers {rows, columns, weight, bias} in float32. */
async function unpacked({ layers, text }) {
  const data = await inflated(text);
  let at = 0;
  const take = (Kind, count) => {
    const part = data.slice(at, at + count * Kind.BYTES_PER_ELEMENT);
    at += part.byteLength;
    return new Kind(part);
  };
  return layers.map(([rows, columns, bits]) => {
    const scale = take(Float32Array, rows);
    const bias = take(Float32Array, rows);
    const high = take(Int8Array, rows * columns);
    const rest = bits - 8; // low bits of each number, several numbers to a byte
    const perByte = rest ? 8 / rest : 1;
    const low = rest ? take(Uint8Array, Math.ceil(high.length / perByte)) : null;
    const mask = (1 << rest) - 1;
    const weight = new Float32Array(high.length);
    for (let i = 0; i < weight.length; i++) {
      let number = high[i] << rest;
      if (rest) number += (low[Math.floor(i / perByte)] >> (rest * (i % perByte))) & mask;
      weight[i] = number * scale[Math.floor(i / columns)];
    }
    return { rows, columns, weight, bias };
  });
}

/** Return W x + b, with ReLU if it is wanted, in float32. */
function applied({ rows, columns, weight, bias }, x, relu) {
  const y = new Float32Array(rows);
  const whole = columns - (columns % 4);
  for (let row = 0; row < rows; row++) {
    const start = row * columns;
    let a = 0, b = 0, c = 0, d = 0; // four sums, so that none waits for the one before
    let j = 0;
    for (; j < whole; j += 4) {
      const i = start + j;
      a += weight[i] * x[j];
      b += weight[i + 1] * x[j + 1];
      c += weight[i + 2] * x[j + 2];
      d += weight[i + 3] * x[j + 3];
    }
    for (; j < columns; j++) a += weight[start + j] * x[j];
    const sum = bias[row] + (a + b + (c + d));
    y[row] = relu && sum < 0 ? 0 : sum;
  }
  return y;
}

/** Return what a network with ReLU between its layers makes of x. */
function forward(layers, x) {
  return layers.reduce((h, layer, i) => applied(layer, h, i < layers.length - 1), x);
}
