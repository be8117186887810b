// A square between two to four sprites, to drag across.

const CELLS = 4; // mixtures along a side that are shown

function openBlend() {
  const square = byId("blend-square");
  const [canvas, handle] = square.children;
  canvas.width = canvas.height = CELLS * side;
  const [across, down] = [byId("blend-x"), byId("blend-y")];
  let isOpen = false;
  let isMoving = false; // what is in hand, to where the handle is

  const corners = ["Top left", "Top right", "Bottom left", "Bottom right"].map(
    (label, k) => new Slot(label, `corner ${k}`, () => isOpen && refresh(), true));
  corners.forEach(({ node, label }) => {
    node.classList.add(...label.toLowerCase().split(" "));
    byId("corners").append(node);
  });

  const mix = () => (document.querySelector("[name=mix]:checked").value === "slerp" ? slerp : lerp);
  const latents = () => corners.map(({ content }) => content && content.z);

  const show = async () => {
    const at = (k) => k / (CELLS - 1);
    const cells = Array.from({ length: CELLS ** 2 }, (_, k) =>
      onSquare(latents(), at(k % CELLS), at(Math.floor(k / CELLS)), mix()));
    const sprites = await decode("blend", cells);
    if (!sprites) return;
    const sheet = sheetOf(sprites, CELLS, 1);
    canvas.width = sheet.width;
    canvas.height = sheet.height;
    canvas.getContext("2d").drawImage(sheet, 0, 0);
    fit();
  };

  const fit = () => {
    const room = Math.min(480, byId("corners").clientWidth - (isNarrow() ? 0 : 2 * (SPRITE + 16)));
    const times = Math.floor(room / (CELLS * side));
    canvas.style.width = `${times ? times * CELLS * side : room}px`;
    canvas.style.imageRendering = times ? "" : "auto";
  };

  const place = () => {
    handle.hidden = false;
    // The middle of the first cell is a corner, so is that of the last.
    const on = (value) => `${(100 * (value * (CELLS - 1) + 0.5)) / CELLS}%`;
    handle.style.left = on(Number(across.value));
    handle.style.top = on(Number(down.value));
  };

  const refresh = () => {
    const filled = corners.filter(({ content }) => content);
    for (const { remove, content } of corners) {
      remove.hidden = !content || filled.length <= 2;
    }
    handle.hidden = true; // where it is, is something else now
    show();
  };

  const move = () => {
    place();
    const z = onSquare(latents(), Number(across.value), Number(down.value), mix());
    isMoving = true;
    hand.move(z, `A blend of ${corners.filter(({ content }) => content).map(({ content }) => content.name).join(", ")}`);
    isMoving = false;
  };

  onDrag(square, (x, y) => {
    const inside = (value) => Math.min(1, Math.max(0, (value * CELLS - 0.5) / (CELLS - 1)));
    across.value = inside(x);
    down.value = inside(y);
    move();
  }, () => hand.keep());
  for (const input of [across, down]) {
    input.oninput = move;
    input.onchange = () => hand.keep();
  }
  document.querySelectorAll("[name=mix]").forEach((input) => (input.onchange = refresh));
  addEventListener("resize", fit);
  hand.addEventListener("move", () => {
    if (!isMoving) handle.hidden = true; // something else is in hand
  });

  return () => {
    fit();
    if (isOpen) return;
    // First sight: four sprites that are far apart on the map.
    const [near, far] = [0.2 * gridSide, 0.8 * gridSide];
    for (const [k, [x, y]] of [[near, near], [far, near], [near, far], [far, far]].entries()) {
      corners[k].put(ofSprite(nearestOnMap(x, y, 1)[0]));
    }
    isOpen = true;
    refresh();
  };
}
