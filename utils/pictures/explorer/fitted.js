// A picture from a file, made a sprite as main.py makes it one.

const VISIBLE = 7; // how much darker than white a channel must be to be seen, as in png.py
const KEY_COLOURS = [[255, 0, 255], [0, 255, 0]]; // background wherever they are, as in background.py

/** Return the RGBA of an image file on white: enlarged files are reduced, then as `to_square` in Python. */
async function fittedFile(file) {
  const bitmap = await createImageBitmap(file);
  const image = cleared(reduced(pixelsOf(bitmap, bitmap.width, bitmap.height)));
  const longest = Math.max(image.width, image.height);
  let [left, top, width, height] = [0, 0, image.width, image.height];
  let factor = longest <= side / 2 ? Math.floor(side / longest) : 1;
  if (longest > side) {
    [left, top, width, height] = drawnBox(image);
    factor = Math.min(1, side / Math.max(width, height));
  }
  const source = contextOf(image.width, image.height);
  source.putImageData(image, 0, 0);
  const [w, h] = [width, height].map((length) => Math.max(1, Math.round(length * factor)));
  const context = contextOf(side, side);
  context.fillStyle = "#fff";
  context.fillRect(0, 0, side, side);
  context.imageSmoothingEnabled = factor < 1;
  context.imageSmoothingQuality = "high";
  const [x, y] = [Math.floor((side - w) / 2), Math.floor((side - h) / 2)];
  context.drawImage(source.canvas, left, top, width, height, x, y, w, h);
  return context.getImageData(0, 0, side, side).data;
}

const contextOf = (width, height) =>
  make("canvas", { width, height }).getContext("2d", { willReadFrequently: true });

/** Return what a drawable shows, drawn at a size, as ImageData. */
function pixelsOf(drawable, width, height) {
  const context = contextOf(width, height);
  context.imageSmoothingEnabled = false;
  context.drawImage(drawable, 0, 0, width, height);
  return context.getImageData(0, 0, width, height);
}

/** Return the colours of an image as one number a pixel; all that is transparent is one colour. */
function coloursOf({ data }) {
  const colours = new Uint32Array(data.buffer.slice(0));
  for (let i = 0; i < colours.length; i++) if (!data[4 * i + 3]) colours[i] = 0;
  return colours;
}

/** Return an image that is too large, with a whole-factor enlargement undone: blocks become pixels. */
function reduced(image) {
  const { width, height } = image;
  if (Math.max(width, height) <= side) return image;
  const common = (a, b) => (b ? common(b, a % b) : a);
  const colours = coloursOf(image);
  let factor = common(width, height); // and of all places where a colour ends
  for (let y = 0; y < height && factor > 1; y++) {
    for (let x = 0; x < width; x++) {
      const i = y * width + x;
      if (x % factor && colours[i] !== colours[i - 1]) factor = common(factor, x);
      if (y % factor && colours[i] !== colours[i - width]) factor = common(factor, y);
    }
  }
  if (factor === 1) return image;
  const small = new ImageData(width / factor, height / factor);
  const [from, to] = [new Uint32Array(image.data.buffer), new Uint32Array(small.data.buffer)];
  for (let i = 0; i < to.length; i++) {
    const [x, y] = [i % small.width, Math.floor(i / small.width)];
    to[i] = from[factor * (y * width + x)];
  }
  return small;
}

/** Make the one opaque colour of an image's border transparent, as background.py does; in place. */
function cleared(image) {
  const { data, width, height } = image;
  const colours = new Uint32Array(data.buffer);
  const background = colours[0];
  const pending = [];
  for (let x = 0; x < width; x++) pending.push(x, (height - 1) * width + x);
  for (let y = 0; y < height; y++) pending.push(y * width, y * width + width - 1);
  const isPlain = data[3] === 255 && pending.every((i) => colours[i] === background);
  if (!isPlain || colours.every((colour) => colour === background)) return image;
  if (KEY_COLOURS.some((key) => key.every((value, k) => value === data[k]))) {
    colours.forEach((colour, i) => colour === background && pending.push(i));
  }
  while (pending.length) {
    const i = pending.pop();
    if (colours[i] !== background) continue;
    colours[i] = 0;
    const x = i % width;
    if (x) pending.push(i - 1);
    if (x + 1 < width) pending.push(i + 1);
    if (i >= width) pending.push(i - width);
    if (i + width < width * height) pending.push(i + width);
  }
  return image;
}

/** Return [left, top, width, height] of what is drawn: opaque, or seen on white. */
function drawnBox({ data, width, height }) {
  let [left, top, right, bottom] = [width, height, -1, -1];
  for (let i = 0; i < width * height; i++) {
    const alpha = data[4 * i + 3];
    const darkest = 255 - Math.min(data[4 * i], data[4 * i + 1], data[4 * i + 2]);
    if (alpha < 255 && (alpha * darkest) / 255 < VISIBLE) continue;
    const [x, y] = [i % width, Math.floor(i / width)];
    [left, right, top, bottom] = [Math.min(left, x), Math.max(right, x), Math.min(top, y), Math.max(bottom, y)];
  }
  return right < left ? [0, 0, 1, 1] : [left, top, right - left + 1, bottom - top + 1];
}
