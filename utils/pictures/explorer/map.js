// The map of the training sprites: a grid of them, moved and zoomed like a map.

const MOST_TIMES = 4; // how far a sprite is enlarged at the nearest zoom
const ON_SPRITE = 0.32; // of a cell: so near to its middle a click means the sprite itself

class SpriteMap {
  /** The map in a canvas; (x, y) is the place in its middle, in cells of the grid. */
  constructor(canvas, atlas) {
    Object.assign(this, { canvas, atlas, zoom: 1, pointers: new Map() });
    this.x = this.y = (gridSide - 1) / 2;
    this.mark = null; // place of what is in hand, if it is on the map
    new ResizeObserver(() => this.draw()).observe(canvas);
    this.listen();
  }

  // ---- from places to the screen, in CSS pixels

  /** Size of a cell: at zoom 1 the whole grid is seen; a sprite grows by whole factors. */
  get cell() {
    const whole = Math.min(this.canvas.clientWidth, this.canvas.clientHeight) / (gridSide + 0.5);
    const cell = whole * this.zoom;
    return cell > side ? side * Math.round(cell / side) : cell;
  }

  toScreen(x, y) {
    const { clientWidth, clientHeight } = this.canvas;
    return [clientWidth / 2 + (x - this.x) * this.cell, clientHeight / 2 + (y - this.y) * this.cell];
  }

  toPlace(screenX, screenY) {
    const { clientWidth, clientHeight } = this.canvas;
    return [this.x + (screenX - clientWidth / 2) / this.cell, this.y + (screenY - clientHeight / 2) / this.cell];
  }

  isSeen(x, y) {
    const [left, top] = this.toScreen(x, y);
    return left > 0 && top > 0 && left < this.canvas.clientWidth && top < this.canvas.clientHeight;
  }

  /** Zoom by a factor, so that a point of the screen stays where it is. */
  zoomBy(factor, screenX = this.canvas.clientWidth / 2, screenY = this.canvas.clientHeight / 2) {
    const [x, y] = this.toPlace(screenX, screenY);
    const whole = this.cell / this.zoom;
    const most = Math.max(1, (MOST_TIMES * side) / whole);
    this.zoom = Math.min(most, Math.max(1, this.zoom * factor));
    const [nowX, nowY] = this.toPlace(screenX, screenY);
    this.moveTo(this.x + x - nowX, this.y + y - nowY);
  }

  moveTo(x, y) {
    this.x = Math.min(gridSide - 1, Math.max(0, x));
    this.y = Math.min(gridSide - 1, Math.max(0, y));
    this.draw();
  }

  showAll() {
    this.zoom = 1;
    this.moveTo((gridSide - 1) / 2, (gridSide - 1) / 2);
  }

  // ---- drawing

  /** Draw in the next frame, once however often it is asked for. */
  draw() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.drawNow();
    });
  }

  drawNow() {
    const { canvas, cell } = this;
    canvas.width = Math.round(canvas.clientWidth * devicePixelRatio);
    canvas.height = Math.round(canvas.clientHeight * devicePixelRatio);
    const context = canvas.getContext("2d");
    const size = Math.round(cell * devicePixelRatio);
    context.imageSmoothingEnabled = size < side;
    context.imageSmoothingQuality = "high";
    for (let i = 0; i < count; i++) {
      const [x, y] = this.corner(places[2 * i], places[2 * i + 1], size);
      if (x < -size || y < -size || x > canvas.width || y > canvas.height) continue;
      const [left, top] = [(i % facts.atlasColumns) * side, Math.floor(i / facts.atlasColumns) * side];
      context.drawImage(this.atlas, left, top, side, side, x, y, size, size);
    }
    if (this.mark) this.frameAround(context, ...this.corner(...this.mark, size), size);
    if (canvas.matches(":focus-visible")) this.drawCross(context);
  }

  /** Return the top left corner, in pixels of the canvas, of what is drawn at a place. */
  corner(x, y, size) {
    return this.toScreen(x, y).map((middle) => Math.round(middle * devicePixelRatio - size / 2));
  }

  frameAround(context, x, y, size) {
    for (const [width, colour] of [[6, "#fff"], [3, "#1b6470"]]) {
      context.lineWidth = width * devicePixelRatio;
      context.strokeStyle = colour;
      context.strokeRect(x - 1, y - 1, size + 2, size + 2);
    }
  }

  /** Show what Enter takes. */
  drawCross(context) {
    const { width, height } = this.canvas;
    const long = 9 * devicePixelRatio;
    context.fillStyle = "#1b6470";
    context.fillRect(width / 2 - long, height / 2 - 1, 2 * long, 2);
    context.fillRect(width / 2 - 1, height / 2 - long, 2, 2 * long);
  }

  // ---- what is where

  /** Return {z, name, source, place} at a point of the screen: a sprite, or a mixture. */
  at(screenX, screenY) {
    const [x, y] = this.toPlace(screenX, screenY);
    const [i] = nearestOnMap(x, y, 1);
    const place = row(places, i, 2);
    if (Math.max(Math.abs(x - place[0]), Math.abs(y - place[1])) <= ON_SPRITE) return { ...ofSprite(i), place };
    return { z: latentAt(x, y), name: "A place on the map", source: -1, place: [x, y] };
  }

  take({ z, name, source, place }) {
    this.isTaking = true;
    hand.take(z, name, source);
    this.isTaking = false;
    this.mark = place;
    this.draw();
  }

  // ---- hands and keys

  listen() {
    const { canvas, pointers } = this;
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoomBy(Math.exp(-event.deltaY / 400), event.offsetX, event.offsetY);
    }, { passive: false });
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      canvas.setPointerCapture(event.pointerId);
      pointers.set(event.pointerId, event);
      this.hasMoved = pointers.size > 1;
    });
    canvas.addEventListener("pointermove", (event) => {
      if (pointers.has(event.pointerId)) this.drag(event);
      else this.hover(event);
    });
    canvas.addEventListener("pointerup", (event) => {
      const isClick = pointers.delete(event.pointerId) && !this.hasMoved;
      if (isClick) this.take(this.at(event.offsetX, event.offsetY));
    });
    canvas.addEventListener("pointercancel", (event) => pointers.delete(event.pointerId));
    canvas.addEventListener("pointerleave", () => this.hideHover());
    canvas.addEventListener("keydown", (event) => this.key(event));
    for (const name of ["focus", "blur"]) canvas.addEventListener(name, () => this.draw());
    hand.addEventListener("move", () => {
      if (this.isTaking) return;
      const mark = hand.source < 0 ? null : row(places, hand.source, 2);
      if (!mark && !this.mark) return; // nothing to draw again while a slider moves
      this.mark = mark;
      if (this.mark && !this.isSeen(...this.mark)) this.moveTo(...this.mark);
      this.draw();
    });
  }

  /** Move by one pointer, or zoom by two. */
  drag(event) {
    const before = this.pointers.get(event.pointerId);
    const [dx, dy] = [event.offsetX - before.offsetX, event.offsetY - before.offsetY];
    if (!this.hasMoved && Math.hypot(dx, dy) < 5) return;
    this.hasMoved = true;
    this.hideHover();
    const other = [...this.pointers.values()].find(({ pointerId }) => pointerId !== event.pointerId);
    this.pointers.set(event.pointerId, event);
    if (!other) {
      this.moveTo(this.x - dx / this.cell, this.y - dy / this.cell);
      return;
    }
    const apart = ({ offsetX, offsetY }) => Math.hypot(offsetX - other.offsetX, offsetY - other.offsetY);
    const [midX, midY] = [(event.offsetX + other.offsetX) / 2, (event.offsetY + other.offsetY) / 2];
    this.zoomBy(apart(event) / Math.max(1, apart(before)), midX, midY);
  }

  async hover(event) {
    if (event.pointerType === "touch") return;
    const { z, name } = this.at(event.offsetX, event.offsetY);
    const { clientX, clientY } = event;
    this.hovered = event;
    const sprites = await decode("hover", [z]);
    if (!sprites || this.hovered !== event) return;
    const box = byId("hover");
    paint(box.firstElementChild, sprites[0]);
    box.lastElementChild.textContent = name;
    box.hidden = false;
    const isRight = clientX + 18 + box.offsetWidth > innerWidth;
    const left = isRight ? clientX - 18 - box.offsetWidth : clientX + 18;
    const top = Math.min(clientY + 18, innerHeight - box.offsetHeight - 4);
    box.style.transform = `translate(${left}px, ${top}px)`;
  }

  hideHover() {
    this.hovered = null;
    byId("hover").hidden = true;
  }

  key(event) {
    const step = 60 / this.cell;
    const [midX, midY] = [this.canvas.clientWidth / 2, this.canvas.clientHeight / 2];
    const actions = {
      ArrowLeft: () => this.moveTo(this.x - step, this.y),
      ArrowRight: () => this.moveTo(this.x + step, this.y),
      ArrowUp: () => this.moveTo(this.x, this.y - step),
      ArrowDown: () => this.moveTo(this.x, this.y + step),
      "+": () => this.zoomBy(1.4),
      "=": () => this.zoomBy(1.4),
      "-": () => this.zoomBy(1 / 1.4),
      Enter: () => this.take(this.at(midX, midY)),
    };
    if (!actions[event.key] || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    actions[event.key]();
  }
}

function openMap(atlas) {
  setRoom(byId("hover").firstElementChild, 120);
  const map = new SpriteMap(byId("map-canvas"), atlas);
  map.zoomBy(side / map.cell); // first sight: as many as there is room for
  byId("zoom-in").onclick = () => map.zoomBy(1.6);
  byId("zoom-out").onclick = () => map.zoomBy(1 / 1.6);
  byId("zoom-fit").onclick = () => map.showAll();
  byId("names").append(...names.map((value) => make("option", { value })));
  byId("find").onchange = ({ target }) => {
    const wanted = target.value.toLowerCase();
    if (!wanted) return;
    let i = names.findIndex((name) => name.toLowerCase() === wanted);
    if (i < 0) i = names.findIndex((name) => name.toLowerCase().includes(wanted));
    if (i < 0) return say(`No sprite has ${target.value} in its name.`);
    const place = row(places, i, 2);
    map.zoomBy((2 * side) / map.cell);
    map.moveTo(...place);
    map.take({ ...ofSprite(i), place });
  };
}
