// A network from the text that weights.py packs: runs in the worker.

/** Return the bytes of a base64 text, inflated. */
async function inflated(text) {
  const characters = atob(text);
  const bytes = new Uint8Array(characters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = characters.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

/** Return layers {rows, columns, weight, bias} in float32; weights go column by column. */
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
      weight[i] = number * scale[i % rows];
    }
    return { rows, columns, weight, bias };
  });
}

/** Return W x + b, with ReLU if it is wanted, in float32. */
function applied({ rows, columns, weight, bias }, x, relu) {
  const y = Float32Array.from(bias);
  // After ReLU about half of x is 0, and needs no products. The others go four at a time, so that
  // y is read and written a quarter as often.
  const used = [];
  for (let j = 0; j < columns; j++) if (x[j] !== 0) used.push(j);
  let k = 0;
  for (; k + 3 < used.length; k += 4) {
    const [a, b, c, d] = [used[k] * rows, used[k + 1] * rows, used[k + 2] * rows, used[k + 3] * rows];
    const [xa, xb, xc, xd] = [x[used[k]], x[used[k + 1]], x[used[k + 2]], x[used[k + 3]]];
    for (let i = 0; i < rows; i++) {
      y[i] += xa * weight[a + i] + xb * weight[b + i] + xc * weight[c + i] + xd * weight[d + i];
    }
  }
  for (; k < used.length; k++) {
    for (let i = 0; i < rows; i++) y[i] += x[used[k]] * weight[used[k] * rows + i];
  }
  if (relu) for (let i = 0; i < rows; i++) if (y[i] < 0) y[i] = 0;
  return y;
}

/** Return what a network with ReLU between its layers makes of x. */
function forward(layers, x) {
  return layers.reduce((h, layer, i) => applied(layer, h, i < layers.length - 1), x);
}
