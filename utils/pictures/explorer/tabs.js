// Tabs: one way to find sprites at a time; arrow keys go from one to the next.

/** Show the panel of a tab when it is chosen, and call what opens it. */
function openTabs(openers) {
  const tabs = [...document.querySelectorAll("[role=tab]")].filter((tab) => !tab.hidden);
  const panel = (tab) => byId(tab.getAttribute("aria-controls"));

  const choose = (chosen) => {
    for (const tab of tabs) {
      tab.setAttribute("aria-selected", tab === chosen);
      tab.tabIndex = tab === chosen ? 0 : -1;
      panel(tab).hidden = tab !== chosen;
    }
    openers[panel(chosen).id]?.();
  };

  tabs.forEach((tab, k) => {
    tab.onclick = () => choose(tab);
    tab.onkeydown = ({ key }) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[key];
      if (!step) return;
      const next = tabs[(k + step + tabs.length) % tabs.length];
      next.focus();
      choose(next);
    };
  });
  choose(tabs[0]);
}
