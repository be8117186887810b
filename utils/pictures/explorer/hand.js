// The sprite in hand: one latent, where it comes from, and the way back.

class Hand extends EventTarget {
  z = Float32Array.from(row(mu, 0));
  name = "";
  source = -1; // index of the sprite that it is a reconstruction of
  pixels = null; // RGBA, as last decoded
  drawn = null; // the latent that `pixels` shows
  asked = 0; // how often `picture` had to decode
  past = [];
  future = [];

  /** Change the latent for the moment, as while a slider is dragged. */
  move(z, name, source = -1) {
    if (!this.before) this.before = this.state;
    Object.assign(this, { z, name, source });
    this.dispatchEvent(new Event("move"));
    this.draw();
  }

  /** Keep what `move` changed, as one step of undo. */
  keep() {
    if (this.before) {
      this.past.push(this.before);
      this.future.length = 0;
    }
    this.before = null;
    this.dispatchEvent(new Event("keep"));
  }

  take(z, name, source = -1) {
    this.move(Float32Array.from(z), name, source);
    this.keep();
  }

  get state() {
    return { z: this.z, name: this.name, source: this.source };
  }

  /** Take a step back, or forward again. */
  step(from, to) {
    if (this.before) this.keep(); // a drag that goes on: so far it is one step
    const state = from.pop();
    if (!state) return;
    to.push(this.state);
    Object.assign(this, state);
    this.dispatchEvent(new Event("move"));
    this.dispatchEvent(new Event("keep"));
    this.draw();
  }

  async draw() {
    const start = performance.now();
    const { z } = this;
    const sprites = await decode("hand", [z]);
    if (!sprites) return;
    [this.pixels] = sprites;
    this.drawn = z;
    this.dispatchEvent(new Event("drawn"));
    performance.measure("sprite in hand", { start });
    performance.clearMeasures("sprite in hand"); // observers have it; the page keeps no list
  }

  /** Return a promise of the RGBA of what is in hand now, whatever is in hand later. */
  async picture() {
    if (this.pixels && this.drawn === this.z) return this.pixels;
    this.asked += 1;
    const [pixels] = await decode(`picture ${this.asked}`, [this.z]);
    return pixels;
  }
}

const hand = new Hand();

// ---- the address: #z=0.12,-1.5,...

/** Return the latent that the address names, or null. */
function latentOfAddress() {
  const text = new URLSearchParams(location.hash.slice(1)).get("z");
  const z = Float32Array.from((text ?? "").split(","), Number);
  return text && z.length === latentSize && z.every(Number.isFinite) ? z : null;
}

const addressOf = (z) => `#z=${Array.from(z, (value) => Number(value.toFixed(3))).join(",")}`;

/** Take the sprite of the address in hand, if it names one. */
function takeAddress() {
  const z = latentOfAddress();
  if (z) hand.take(z, "From the address");
  return z !== null;
}

/** Say so if the address names a latent that this page does not have. */
function sayIfWrong() {
  if (!new URLSearchParams(location.hash.slice(1)).has("z")) return;
  say(`The address names no sprite of this page: z takes ${latentSize} numbers.`);
}

// ---- its part of the page

function openHand() {
  const canvas = byId("hand-canvas");
  const fit = () => {
    setRoom(canvas, isNarrow() ? 120 : 320);
    if (hand.pixels) paint(canvas, hand.pixels);
  };
  fit();
  addEventListener("resize", fit);

  hand.addEventListener("drawn", () => paint(canvas, hand.pixels));
  hand.addEventListener("move", () => {
    byId("hand-name").textContent = hand.name;
    canvas.setAttribute("aria-label", `Sprite in hand: ${hand.name}`);
  });
  hand.addEventListener("keep", () => {
    byId("undo").disabled = !hand.past.length;
    byId("redo").disabled = !hand.future.length;
    clearTimeout(hand.timer); // browsers limit how often an address may change
    hand.timer = setTimeout(() => history.replaceState(null, "", addressOf(hand.z)), 200);
  });
  addEventListener("hashchange", () => takeAddress() || sayIfWrong());

  const undo = () => hand.step(hand.past, hand.future);
  const redo = () => hand.step(hand.future, hand.past);
  byId("undo").onclick = undo;
  byId("redo").onclick = redo;
  onUndoKeys(() => true, undo, redo);

  byId("surprise").onclick = () => {
    const kind = byId("sampler").value;
    hand.take(samplers[kind](), kind === "prior" ? "A draw from the prior" : "A mixture of near sprites");
  };
  byId("link").onclick = async () => {
    history.replaceState(null, "", addressOf(hand.z));
    try {
      await navigator.clipboard.writeText(location.href);
      say("The link to this sprite is copied.");
    } catch {
      say("The link to this sprite is in the address bar.");
    }
  };
  for (let times = 1; times <= 16; times++) {
    byId("scale").append(make("option", { value: times, textContent: `at ${times}\u00d7`, selected: times === 8 }));
  }
  byId("save").onclick = async () => {
    const times = Number(byId("scale").value);
    savePng(sheetOf([await hand.picture()], 1, times), `sprite-${times}x.png`);
  };
}
