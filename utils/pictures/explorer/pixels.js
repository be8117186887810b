// Sprites as RGBA bytes and on canvases.

/** Make white that is connected to the border transparent, as `drawn_part` in Python; in place. */
function cutOut(pixels) {
  const isLight = (i) => Math.min(pixels[4 * i], pixels[4 * i + 1], pixels[4 * i + 2]) >= facts.background;
  const pending = [];
  for (let k = 0; k < side; k++) pending.push(k, (side - 1) * side + k, k * side, k * side + side - 1);
  while (pending.length) {
    const i = pending.pop();
    if (pixels[4 * i + 3] === 0 || !isLight(i)) continue;
    pixels[4 * i + 3] = 0;
    if (i % side) pending.push(i - 1);
    if ((i + 1) % side) pending.push(i + 1);
    if (i >= side) pending.push(i - side);
    if (i < side * (side - 1)) pending.push(i + side);
  }
  return pixels;
}

/** Return the part of decoded bytes that is sprite k, with its background cut out. */
const spriteOf = (pixels, k = 0) => cutOut(pixels.slice(4 * k * side * side, 4 * (k + 1) * side * side));

/** Let a sprite's canvas fill a room, in CSS pixels: by a whole factor, or shrunk. */
function setRoom(canvas, room) {
  canvas.width = canvas.height = side;
  canvas.style.width = `${room < side ? room : Math.floor(room / side) * side}px`; // its height follows
  canvas.style.imageRendering = room < side ? "auto" : "";
}

/** Draw a sprite on a canvas, a pixel a pixel. */
function paint(canvas, pixels) {
  if (canvas.width !== side || canvas.height !== side) canvas.width = canvas.height = side;
  canvas.getContext("2d", { willReadFrequently: true }).putImageData(new ImageData(pixels, side, side), 0, 0);
}

/** Return a canvas with sprites in lines, each pixel enlarged to times x times. */
function sheetOf(sprites, columns, times) {
  const sheet = make("canvas", {
    width: Math.min(columns, sprites.length) * side * times,
    height: Math.ceil(sprites.length / columns) * side * times,
  });
  const context = sheet.getContext("2d");
  context.imageSmoothingEnabled = false;
  const one = make("canvas");
  sprites.forEach((pixels, k) => {
    paint(one, pixels);
    const [x, y] = [k % columns, Math.floor(k / columns)].map((at) => at * side * times);
    context.drawImage(one, x, y, side * times, side * times);
  });
  return sheet;
}

/** Hand a canvas to the browser as a PNG to save. */
function savePng(canvas, name) {
  canvas.toBlob((blob) => {
    const url = URL.createObjectURL(blob);
    make("a", { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60000);
  });
}

const MOST_COLOURS = 15;
const SAME_COLOUR = 36; // distance in RGB below which two colours are one

const isOther = (a, b) => Math.hypot(...a.map((value, k) => value - b[k])) > SAME_COLOUR;

/** Return the main colours [r, g, b] of what is drawn of a sprite, the most frequent first. */
function mainColours(pixels) {
  const bins = new Map();
  for (let i = 0; i < pixels.length; i += 4) {
    if (!pixels[i + 3]) continue;
    const rgb = pixels.subarray(i, i + 3);
    const key = rgb.reduce((sum, value) => 16 * sum + (value >> 4), 0);
    const bin = bins.get(key) || { total: [0, 0, 0], count: 0 };
    rgb.forEach((value, k) => (bin.total[k] += value));
    bin.count += 1;
    bins.set(key, bin);
  }
  const colours = [];
  for (const { total, count } of [...bins.values()].sort((a, b) => b.count - a.count)) {
    const colour = total.map((sum) => Math.round(sum / count));
    const isNew = colours.every((other) => isOther(other, colour));
    if (isNew && colours.length < MOST_COLOURS) colours.push(colour);
  }
  return colours;
}
