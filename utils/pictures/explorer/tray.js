// What was collected: a strip of sprites, saved as one sheet.

function openTray() {
  const kept = []; // {z, name, source, picture, node}; a picture is a promise of pixels
  const SHEET_COLUMNS = 8;

  const refresh = () => {
    byId("collected").replaceChildren(...kept.map(({ node }) => node));
    byId("tray-empty").hidden = kept.length > 0;
    byId("sheet").disabled = !kept.length;
  };

  byId("collect").onclick = () => {
    const item = { ...hand.state, picture: hand.picture() };
    const button = spriteButton(`Take ${item.name}`, SPRITE / 2, () => hand.take(item.z, item.name, item.source));
    item.picture.then((pixels) => paint(button.firstChild, pixels));
    const remove = make("button", {
      className: "remove", textContent: "\u00d7", "aria-label": `Remove ${item.name}`,
      onclick: () => {
        kept.splice(kept.indexOf(item), 1);
        refresh();
        byId(kept.length ? "sheet" : "collect").focus();
      },
    });
    item.node = make("div", { className: "slot" }, button, remove);
    kept.push(item);
    refresh();
    say(`${kept.length} collected.`);
  };

  byId("sheet").onclick = async () => {
    const times = Number(byId("scale").value);
    const pictures = await Promise.all(kept.map(({ picture }) => picture));
    savePng(sheetOf(pictures, SHEET_COLUMNS, times), `sprites-${times}x.png`);
  };
}
