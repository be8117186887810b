// With an encoder: a drawing or a PNG, as the model sees it.

const DRAWS = 5; // from the posterior
const MOST_UNDONE = 50; // strokes
const WHITE = [255, 255, 255];

/** A canvas of one sprite to draw on, by pointer or by keys. */
class Drawing {
  constructor(canvas, onChange) {
    Object.assign(this, { canvas, onChange, colour: [0, 0, 0], x: side >> 1, y: side >> 1, past: [], future: [] });
    this.pixels = new Uint8ClampedArray(4 * side * side).fill(255);
    setRoom(canvas, 280);
    let last = null;
    onDrag(canvas, (x, y) => {
      const to = [x, y].map((value) => Math.min(side - 1, Math.floor(value * side)));
      if (!last) this.keep();
      this.line(last ?? to, to);
      last = to;
    }, () => (last = null));
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("blur", () => this.show());
    this.show();
  }

  /** Keep what is drawn, before a stroke, as one step of undo. */
  keep() {
    this.past = [...this.past, this.pixels.slice()].slice(-MOST_UNDONE);
    this.future = [];
  }

  /** Take a stroke back, or draw it again. */
  step(from, to) {
    if (!from.length) return;
    to.push(this.pixels);
    this.pixels = from.pop();
    this.show();
    this.onChange();
  }

  set(pixels) {
    this.keep();
    this.pixels = Uint8ClampedArray.from(pixels);
    for (let i = 0; i < pixels.length; i += 4) {
      if (!pixels[i + 3]) this.pixels.set([...WHITE, 255], i); // white is what the model knows
    }
    this.show();
    this.onChange();
  }

  line([fromX, fromY], [toX, toY]) {
    const steps = Math.max(1, Math.abs(toX - fromX), Math.abs(toY - fromY));
    for (let k = 0; k <= steps; k++) {
      this.x = Math.round(fromX + ((toX - fromX) * k) / steps);
      this.y = Math.round(fromY + ((toY - fromY) * k) / steps);
      this.pixels.set(this.colour, 4 * (this.y * side + this.x));
    }
    this.show();
    this.onChange();
  }

  show() {
    paint(this.canvas, cutOut(this.pixels.slice()));
    if (this.canvas !== document.activeElement) return;
    const context = this.canvas.getContext("2d"); // where the keys are
    context.fillStyle = "#1b6470";
    context.fillRect(this.x, this.y, 1, 1);
  }

  key(event) {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1], " ": [0, 0] }[event.key];
    if (!step) return;
    event.preventDefault();
    const inside = (value) => Math.min(side - 1, Math.max(0, value));
    [this.x, this.y] = [inside(this.x + step[0]), inside(this.y + step[1])];
    if (event.key === " ") {
      this.keep();
      this.line([this.x, this.y], [this.x, this.y]);
    }
    this.canvas.setAttribute("aria-label", `Drawing, column ${this.x + 1}, line ${this.y + 1}`);
    this.show();
  }
}

/** Fill a strip with sprites to take in hand. */
async function fillStrip(strip, channel, items) {
  const sprites = await decode(channel, items.map(({ z }) => z));
  if (!sprites) return;
  strip.replaceChildren(...items.map(({ z, name }, k) => {
    const button = spriteButton(name, SPRITE, () => hand.take(z, name));
    paint(button.firstChild, sprites[k]);
    return button;
  }));
}

function openDraw() {
  const drawing = new Drawing(byId("drawing"), () => look());
  let mean = null;

  const look = async () => {
    const plane = side * side;
    const x = Float32Array.from({ length: 3 * plane }, (_, i) =>
      drawing.pixels[4 * (i % plane) + Math.floor(i / plane)] / 255);
    const posterior = await encode(x);
    if (!posterior) return;
    mean = posterior.mean;
    const { deviation } = posterior;
    const kl = mean.reduce((sum, m, i) => sum + (m * m + deviation[i] ** 2 - 1) / 2 - Math.log(deviation[i]), 0);
    const width = deviation.reduce((a, b) => a + b) / latentSize;
    byId("posterior").textContent =
      `Posterior: ${kl.toFixed(1)} nats from the prior, deviation ${width.toFixed(2)} per dimension in the mean.`;
    byId("draw-take").disabled = false;
    const draws = Array.from({ length: DRAWS }, (_, k) => ({
      z: k ? mean.map((m, i) => m + deviation[i] * normal()) : mean,
      name: k ? `Draw ${k} from the posterior of the drawing` : "The drawing, as the model sees it",
    }));
    fillStrip(byId("draws"), "draws", draws);
    const near = nearest((i) => squaredDistance(mean, row(mu, i)), DRAWS);
    const halves = near.map((i) => ({ z: lerp(mean, row(mu, i), 0.5), name: `Half the drawing, half ${names[i]}` }));
    fillStrip(byId("mixed"), "mixed", halves);
  };

  const showPalette = () => {
    const [ground, ink] = [WHITE, [0, 0, 0]];
    const inHand = hand.pixels ? mainColours(hand.pixels) : [];
    const colours = [ground, ink, ...inHand.filter((colour) => isOther(colour, ground) && isOther(colour, ink))];
    let chosen = colours.findIndex((colour) => String(colour) === String(drawing.colour));
    if (chosen < 0) chosen = colours.push(drawing.colour) - 1; // it stays to draw with
    const hadFocus = byId("palette").contains(document.activeElement);
    const buttons = colours.map((colour, k) => {
      const name = k ? `#${colour.map((value) => value.toString(16).padStart(2, "0")).join("")}` : "White, the background";
      const button = make("button", { className: "colour", role: "radio", "aria-label": name, title: name });
      button.style.background = `rgb(${colour})`;
      button.onclick = () => {
        drawing.colour = colour;
        for (const other of buttons) {
          other.setAttribute("aria-checked", other === button);
          other.tabIndex = other === button ? 0 : -1;
        }
      };
      button.onkeydown = ({ key }) => {
        const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[key];
        if (!step) return;
        const next = buttons[(k + step + buttons.length) % buttons.length];
        next.focus();
        next.click();
      };
      return button;
    });
    byId("palette").replaceChildren(...buttons);
    buttons[chosen].click();
    if (hadFocus) buttons[chosen].focus();
  };

  const open = async (file) => {
    if (!file) return;
    try {
      drawing.set(await fittedFile(file));
      byId("tab-draw").click();
    } catch {
      say(`${file.name} cannot be read as a picture.`);
    }
  };

  const undo = () => drawing.step(drawing.past, drawing.future);
  const redo = () => drawing.step(drawing.future, drawing.past);
  onUndoKeys(() => !byId("draw").hidden, undo, redo);
  byId("draw-undo").onclick = undo;
  byId("draw-copy").onclick = async () => drawing.set(await hand.picture());
  byId("draw-clear").onclick = () => drawing.set(new Uint8ClampedArray(4 * side * side));
  byId("draw-take").onclick = () => hand.take(mean, "The drawing, as the model sees it");
  byId("file").onchange = ({ target }) => {
    open(target.files[0]);
    target.value = ""; // so that the same file can be opened again
  };
  hand.addEventListener("drawn", () => !byId("draw").hidden && showPalette());
  for (const name of ["dragover", "dragleave", "drop"]) {
    addEventListener(name, (event) => {
      event.preventDefault();
      document.body.classList.toggle("dropping", name === "dragover");
      if (name === "drop") open(event.dataTransfer.files[0]);
    });
  }
  return showPalette;
}
