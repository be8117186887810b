// What was collected: a strip of sprites, saved as one sheet.

function openTray() {
  const kept = []; // {z, name, source, pixels, node}
  const SHEET_COLUMNS = 8;

  const refresh = () => {
    byId("collected").replaceChildren(...kept.map(({ node }) => node));
    byId("tray-empty").hidden = kept.length > 0;
    byId("sheet").disabled = !kept.length;
  };

  byId("collect").onclick = () => {
    const item = { ...hand.state, pixels: hand.pixels };
    const button = spriteButton(`Take ${item.name}`, 1, () => hand.take(item.z, item.name, item.source));
    paint(button.firstChild, item.pixels);
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

  byId("sheet").onclick = () => {
    const times = Number(byId("scale").value);
    savePng(sheetOf(kept.map(({ pixels }) => pixels), SHEET_COLUMNS, times), `sprites-${times}x.png`);
  };
}
