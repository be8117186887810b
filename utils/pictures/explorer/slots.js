// Buttons that show a sprite, and slots that one puts the sprite in hand into.

const SPRITE = 80; // CSS pixels for a sprite on a button

/** Return a button with a sprite on it. */
function spriteButton(label, room, onclick) {
  const canvas = make("canvas");
  setRoom(canvas, room);
  return make("button", { className: "sprite", "aria-label": label, title: label, onclick }, canvas);
}

class Slot {
  /** A place that holds a sprite {z, name}, or null if it `canBeEmpty`. */
  constructor(label, channel, onChange, canBeEmpty = false) {
    Object.assign(this, { label, channel, onChange, content: null });
    this.button = spriteButton(label, SPRITE, () => this.put(hand.state));
    this.node = make("div", { className: "slot" }, this.button, make("span", { textContent: label }));
    if (canBeEmpty) {
      this.remove = make("button", {
        className: "remove", textContent: "\u00d7", "aria-label": `Empty ${label}`,
        onclick: () => {
          this.put(null);
          this.button.focus(); // what was pressed may be gone
        },
      });
      this.node.append(this.remove);
    }
  }

  async put(given) {
    const content = given && { ...given, name: shortName(given) };
    this.content = content;
    const says = `${this.label}: ${content ? content.name : "empty"}. Press to put the sprite in hand here.`;
    this.button.setAttribute("aria-label", says);
    this.button.title = says;
    this.onChange();
    const sprites = await decode(this.channel, content ? [content.z] : []);
    if (!sprites || this.content !== content) return;
    const blank = new Uint8ClampedArray(4 * side * side);
    paint(this.button.firstChild, content ? sprites[0] : blank);
  }
}

/** Return a name that does not grow: blends of blends and children of children are called that. */
const shortName = ({ name, source }) => {
  const kind = source < 0 && /^A (blend|child) of /.exec(name);
  return kind ? `a ${kind[1]}` : name;
};

/** Return what a slot holds of a training sprite. */
const ofSprite = (i) => ({ z: row(mu, i), name: names[i], source: i });
