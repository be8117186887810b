// Children of two parents, in a grid to pick from and go on with.

const LITTER = 12;

function openBreed() {
  const parents = ["First parent", "Second parent"].map((label, k) => new Slot(label, `parent ${k}`, () => {}));
  byId("parents").prepend(...parents.map(({ node }) => node));
  const buttons = Array.from({ length: LITTER }, (_, k) => spriteButton(`Child ${k + 1}`, isNarrow() ? SPRITE : 1.5 * SPRITE, () => pickChild(k)));
  byId("litter").append(...buttons);
  let latents = [];

  const refresh = async () => {
    const [a, b] = parents.map(({ content }) => content.z);
    latents = buttons.map(() => childOf(a, b));
    buttons.forEach((button) => button.removeAttribute("aria-pressed"));
    const sprites = await decode("litter", latents);
    sprites?.forEach((pixels, k) => paint(buttons[k].firstChild, pixels));
  };

  const pickChild = (k) => {
    buttons.forEach((button, i) => button.setAttribute("aria-pressed", i === k));
    hand.take(latents[k], `A child of ${parents.map(({ content }) => content.name).join(" and ")}`);
  };

  byId("children").onclick = refresh;
  byId("go-on").onclick = () => {
    parents[0].put(hand.state);
    refresh();
  };

  return () => {
    if (latents.length) return;
    parents[0].put(hand.state);
    const others = [...names.keys()].filter((i) => groups[i] !== groups[hand.source]);
    const [i = 0] = nearest((j) => squaredDistance(hand.z, row(mu, j)), 1, others);
    parents[1].put(ofSprite(i));
    refresh();
  };
}
