// Elements of the page. Text stays text: nothing here takes markup.

const byId = (id) => document.getElementById(id);

/** Return a new element; properties by their DOM name, attributes by theirs. */
function make(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

/** Return whether the page stands in one column, as on a phone. */
const isNarrow = () => matchMedia("(max-width: 780px)").matches;

/** Say a line to the eye and to screen readers; it goes after a while. */
function say(line) {
  if (say.hasFailed) return;
  byId("said").textContent = line;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => (byId("said").textContent = ""), 4000);
}

/** Say that the page does not work; this stays. */
function fail(line) {
  say(line);
  say.hasFailed = true;
  clearTimeout(say.timer);
}

/** Undo and redo by keys where they are meant: `isMeant()`. What is opened later comes first. */
function onUndoKeys(isMeant, undo, redo) {
  onUndoKeys.all ??= [];
  onUndoKeys.all.unshift({ isMeant, undo, redo });
  if (onUndoKeys.all.length > 1) return;
  addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.target.matches("#find")) return;
    const key = event.key.toLowerCase();
    if (key !== "z" && key !== "y") return;
    event.preventDefault();
    const meant = onUndoKeys.all.find((one) => one.isMeant());
    (key === "y" || event.shiftKey ? meant.redo : meant.undo)();
  });
}

/** Call a function with x and y in [0, 1] while a pointer is dragged across an element. */
function onDrag(node, move, end = () => {}) {
  const at = (event) => {
    const box = node.getBoundingClientRect();
    const inside = (value) => Math.min(1, Math.max(0, value));
    move(inside((event.clientX - box.left) / box.width), inside((event.clientY - box.top) / box.height));
  };
  let isDown = false;
  node.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    isDown = true;
    node.setPointerCapture(event.pointerId);
    at(event);
  });
  node.addEventListener("pointermove", (event) => isDown && at(event));
  for (const name of ["pointerup", "pointercancel"]) {
    node.addEventListener(name, () => {
      if (isDown) end();
      isDown = false;
    });
  }
}
