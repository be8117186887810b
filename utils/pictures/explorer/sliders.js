// Sliders: the principal directions of the latents, or their raw dimensions by KL.

const STRONG = 6; // directions that have a slider
const MOST_DIMENSIONS = 32; // raw dimensions that have one
const REACH = 3; // deviations from the middle to the end of a slider

/** What a slider changes: how far a latent is along it, and the same latent at another value. */
function directionKnobs() {
  const total = deviations.reduce((sum, value) => sum + value ** 2, 0) || 1;
  return Array.from({ length: Math.min(STRONG, latentSize) }, (_, k) => ({
    label: `Direction ${k + 1}`,
    note: `${Math.round((100 * deviations[k] ** 2) / total)} %`,
    read: (z) => along(z, k),
    moved: (z, value) => movedTo(z, k, value),
  }));
}

function dimensionKnobs() {
  const byKl = [...facts.kl.keys()].sort((a, b) => facts.kl[b] - facts.kl[a]);
  return byKl.slice(0, MOST_DIMENSIONS).map((k) => ({
    label: `z${k}`,
    note: `${facts.kl[k].toFixed(2)} nats`,
    read: (z) => z[k],
    moved: (z, value) => z.with(k, value),
  }));
}

/** Return the element of a knob, and functions that bring it up to date. */
function sliderOf(knob) {
  const input = make("input", { type: "range", min: -REACH, max: REACH, step: 0.01 });
  const value = make("span");
  const text = make("span", { className: "text" }, make("span", { textContent: `${knob.label} \u00b7 ${knob.note}` }), value);
  const ends = [make("canvas", { "aria-hidden": "true" }), make("canvas", { "aria-hidden": "true" })];
  ends.forEach((canvas) => {
    canvas.className = "paper";
    setRoom(canvas, SPRITE / 2);
  });
  const label = make("label", {}, text, input);
  const show = () => {
    const now = knob.read(hand.z);
    input.value = now;
    value.textContent = now.toFixed(2);
  };
  input.oninput = () => {
    hand.move(knob.moved(hand.z, Number(input.value)), "Changed by hand");
    value.textContent = Number(input.value).toFixed(2);
  };
  input.onchange = () => hand.keep();
  return { node: make("div", { className: "slider" }, ends[0], label, ends[1]), input, ends, show, knob };
}

function openSliders() {
  let sliders = [];

  const showEnds = async () => {
    const latents = sliders.flatMap(({ knob }) => [-REACH, REACH].map((end) => knob.moved(hand.z, end)));
    const sprites = await decode("ends", latents);
    if (!sprites || sprites.length !== 2 * sliders.length) return;
    sliders.forEach(({ ends }, k) => ends.forEach((canvas, end) => paint(canvas, sprites[2 * k + end])));
  };

  const choose = (kind) => {
    const knobs = kind === "direction" ? directionKnobs() : dimensionKnobs();
    sliders = knobs.map(sliderOf);
    byId("sliders").replaceChildren(...sliders.map(({ node }) => node));
    for (const name of ["direction", "dimension"]) {
      byId(`by-${name}`).setAttribute("aria-pressed", name === kind);
    }
    byId("knobs-help").textContent = kind === "direction"
      ? "The principal directions of all sprites, with their share of the variance, in standard deviations from the mean. The pictures show both ends."
      : "The numbers of the latent, the most used first, with their KL. The pictures show both ends.";
    sliders.forEach(({ show }) => show());
    showEnds();
  };

  byId("by-direction").onclick = () => choose("direction");
  byId("by-dimension").onclick = () => choose("dimension");
  hand.addEventListener("move", () => {
    for (const { input, show } of sliders) if (input !== document.activeElement) show();
  });
  hand.addEventListener("keep", () => {
    sliders.forEach(({ show }) => show());
    showEnds();
  });
  choose("direction");
}
