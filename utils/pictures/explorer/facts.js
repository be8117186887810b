// What vis4.py says about the run: names, latents, and how they are spread.

/** Take the text out of a data block, so that it is not held twice. */
function takeText(id) {
  const text = byId(id).textContent;
  byId(id).remove();
  return text;
}

/** Return the float32 numbers of a base64 text. */
function floats(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return new Float32Array(bytes.buffer);
}

const facts = JSON.parse(takeText("facts"));
const { side, latentSize, names, groups } = facts; // pixels, dimensions, and a name per sprite
const count = names.length;
const mu = floats(facts.mu); // (count, latentSize)
const places = floats(facts.places); // (count, 2): column and line on the map's grid
const gridSide = Math.ceil(Math.sqrt(count)); // its columns and lines
const center = floats(facts.center); // (latentSize): the mean of mu
const axes = floats(facts.axes); // (latentSize, latentSize): principal directions
const deviations = floats(facts.deviations); // (latentSize): of mu along each

const row = (matrix, i, width = latentSize) => matrix.subarray(i * width, (i + 1) * width);
