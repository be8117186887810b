// The start: the parts of the page are opened, and a first sprite is taken in hand.

async function start() {
  const atlas = new Image();
  atlas.src = facts.atlas;
  await atlas.decode();

  byId("about").textContent = facts.about;
  byId("note").textContent = facts.note;
  byId("note").hidden = !facts.note;
  openHand();
  openMap(cutOutAtlas(atlas));
  openTray();
  openSliders();
  const openers = { blend: openBlend(), breed: openBreed() };
  if (facts.encoder) {
    byId("tab-draw").hidden = false;
    byId("stage").classList.add("with-draw");
    openers.draw = openDraw();
  }
  openTabs(openers);
  if (!takeAddress()) {
    sayIfWrong();
    const { z, name, source } = ofSprite(nearestOnMap(gridSide / 2, gridSide / 2, 1)[0]);
    hand.take(z, name, source);
  }
  hand.past = []; // nothing to undo yet
  hand.keep();
}

/** Return the picture of all sprites with the background of each made transparent. */
function cutOutAtlas(atlas) {
  const canvas = make("canvas", { width: atlas.width, height: atlas.height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(atlas, 0, 0);
  for (let i = 0; i < count; i++) {
    const [left, top] = [(i % facts.atlasColumns) * side, Math.floor(i / facts.atlasColumns) * side];
    const sprite = context.getImageData(left, top, side, side);
    cutOut(sprite.data);
    context.putImageData(sprite, left, top);
  }
  return canvas;
}

// What is decoded waits for the worker; the map need not.
Promise.all([openStudio(), start()]).catch((error) => fail(`This page does not work here: ${error.message}`));
