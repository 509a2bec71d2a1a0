// Draws the charts of the page and keeps them in step with its controls. Everything it needs is inside the page.
(() => {
  "use strict";
  const report = JSON.parse(document.getElementById("report-data").textContent);
  const state = { axis: "epoch", scale: "log", full: false, hidden: new Set(), theme: null };
  if (report.first) state.hidden = new Set(report.conditions.filter((name) => !report.first.includes(name)));
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const plots = [...document.querySelectorAll("[data-chart]")];
  const chips = [...document.querySelectorAll(".chip")];
  const views = new Map(); // plot element -> the result of vegaEmbed
  const NARROW = 480; // pixels below which names at the lines' ends give way to the chips
  const embedOptions = {
    mode: "vega-lite",
    renderer: "svg",
    actions: false,
    ast: true, // expressions are interpreted, so the page needs no permission to evaluate strings
    tooltip: { disableDefaultStyle: true },
  };

  const theme = () => state.theme || (dark.matches ? "dark" : "light");
  const shown = () => report.conditions.filter((name) => !state.hidden.has(name));

  // What a chart becomes on the chosen axis; nothing by epochs, and where a chart has no such axis.
  const along = (name) => ((report.axes || {})[state.axis] || {})[name];

  // A copy of a chart's specification in the page's present state.
  function specification(name, look) {
    const spec = structuredClone((along(name) || { spec: report.charts[name] }).spec);
    const values = { full: state.full };
    if (chips.length) values.shown = shown(); // a page without chips shows all that its charts hold
    for (const param of spec.params || []) {
      if (param.name in values) param.value = values[param.name];
    }
    const x = spec.usermeta && spec.usermeta.overmix && spec.usermeta.overmix.x;
    if (x) spec.encoding.x = x[state.scale];
    spec.config = structuredClone(report.configs[look]);
    return spec;
  }

  // The same, as wide as its place on the page.
  function fitted(plot) {
    const spec = specification(plot.dataset.chart, theme());
    const width = Math.floor(plot.clientWidth);
    const narrow = width < NARROW;
    spec.config.background = "transparent";
    const made = spec.usermeta && spec.usermeta.overmix && spec.usermeta.overmix.subtitle;
    if (made) spec.title.subtitle = made;
    for (const { encoding } of chips.length ? spec.layer || [] : []) {
      for (const channel of ["color", "strokeDash"]) {
        if (encoding && encoding[channel]) encoding[channel].legend = null; // the chips name the lines
      }
    }
    spec.autosize = { type: "fit", contains: "padding", resize: false };
    spec.height = narrow ? Math.min(340, Math.round(0.9 * width)) : spec.height + 90;
    spec.width = width;
    spec.padding = { left: 0, top: 4, bottom: 4, right: narrow ? 14 : 4 };
    if (narrow) {
      for (const param of spec.params || []) if (param.name === "labels") param.value = false;
      const ticks = spec.encoding && spec.encoding.x && spec.encoding.x.axis && spec.encoding.x.axis.values;
      if (ticks) spec.encoding.x.axis.labelOverlap = "greedy";
    }
    return spec;
  }

  async function draw(plot) {
    const ticket = (plot.ticket = (plot.ticket || 0) + 1);
    plot.drawnWidth = plot.clientWidth;
    const place = document.createElement("div");
    const result = await vegaEmbed(place, fitted(plot), embedOptions);
    if (ticket !== plot.ticket) return result.finalize(); // overtaken by a later change
    if (views.has(plot)) views.get(plot).finalize();
    views.set(plot, result);
    plot.replaceChildren(place);
    speak(plot);
  }

  // Words follow the axis: what a reader sees under the chart, and what is read out in its place.
  function speak(plot) {
    const caption = plot.parentElement.querySelector("figcaption > p");
    plot.written = plot.written || { label: plot.getAttribute("aria-label"), caption: caption.textContent };
    const other = along(plot.dataset.chart);
    plot.setAttribute("aria-label", other ? other.spec.description : plot.written.label);
    caption.textContent = other ? other.caption : plot.written.caption;
  }

  const drawAll = () => Promise.all(plots.map(draw));

  // Changes a parameter in place, without drawing anew.
  function signal(name, value) {
    for (const { view } of views.values()) view.signal(name, value).runAsync();
  }

  async function save(name, kind) {
    const place = document.createElement("div");
    const result = await vegaEmbed(place, specification(name, "light"), embedOptions);
    const url =
      kind === "svg"
        ? URL.createObjectURL(new Blob([await result.view.toSVG()], { type: "image/svg+xml" }))
        : await result.view.toImageURL("png", 2);
    const link = document.createElement("a");
    link.href = url;
    link.download = `${(along(name) || { file: name }).file}.${kind}`;
    link.click();
    result.finalize();
    if (kind === "svg") setTimeout(() => URL.revokeObjectURL(url), 10000);
  }

  async function copy(button) {
    const source = document.getElementById(button.dataset.copy);
    let done = true;
    try {
      await navigator.clipboard.writeText(source.innerText);
    } catch {
      // No clipboard for this page (an old browser, a refused permission): select the text and ask the browser.
      window.getSelection().selectAllChildren(source);
      done = document.execCommand("copy");
    }
    button.textContent = done ? "Copied" : "Press Ctrl+C";
    document.getElementById("copied").textContent = done ? "Copied to the clipboard" : "Selected: press Ctrl+C";
    setTimeout(() => (button.textContent = "Copy"), 2000);
  }

  function nameTheme() {
    document.getElementById("theme").textContent = theme() === "dark" ? "Light" : "Dark";
  }

  for (const key of ["axis", "scale"]) {
    for (const radio of document.querySelectorAll(`input[name=${key}]`)) {
      radio.addEventListener("change", () => {
        state[key] = radio.value;
        drawAll();
      });
    }
  }
  for (const radio of document.querySelectorAll("input[name=frame]")) {
    radio.addEventListener("change", () => {
      state.full = radio.value === "whole";
      signal("full", state.full);
    });
  }
  for (const chip of chips) {
    chip.addEventListener("click", () => {
      const name = report.conditions[Number(chip.dataset.condition)];
      const hide = !state.hidden.has(name);
      if (hide) state.hidden.add(name);
      else state.hidden.delete(name);
      chip.setAttribute("aria-pressed", String(!hide));
      signal("shown", shown());
    });
  }
  document.getElementById("theme").addEventListener("click", () => {
    state.theme = theme() === "dark" ? "light" : "dark";
    document.documentElement.dataset.theme = state.theme;
    nameTheme();
    drawAll();
  });
  dark.addEventListener("change", () => {
    if (state.theme) return;
    nameTheme();
    drawAll();
  });
  for (const button of document.querySelectorAll("[data-save]")) {
    button.addEventListener("click", () => save(button.dataset.name, button.dataset.save));
  }
  const copyButton = document.getElementById("copy");
  if (copyButton) copyButton.addEventListener("click", () => copy(copyButton));

  let waiting = 0;
  const sizes = new ResizeObserver(() => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      for (const plot of plots) if (plot.clientWidth !== plot.drawnWidth) draw(plot);
    }, 120);
  });

  for (const element of document.querySelectorAll(".bar, .save, #theme, #copy")) element.hidden = false;
  nameTheme();
  drawAll().then(() => {
    document.documentElement.dataset.ready = "true";
    for (const plot of plots) sizes.observe(plot);
  });
})();
