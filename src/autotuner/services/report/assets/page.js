"use strict";
(() => {
  const media = window.matchMedia("(prefers-color-scheme: dark)");
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  // Copy buttons. The clipboard needs a trusted page, which a file is not everywhere: then select and copy.
  for (const button of document.querySelectorAll("button.copy")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const source = document.getElementById(button.dataset.copy);
      try {
        await navigator.clipboard.writeText(source.textContent);
      } catch {
        const selection = window.getSelection();
        selection.selectAllChildren(source);
        document.execCommand("copy");
      }
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
  }

  // Tables: a header cell becomes a button that sorts by its column; empty values stay last.
  for (const table of document.querySelectorAll("table.sortable")) {
    const headers = [...table.tHead.rows[0].cells];
    headers.forEach((header, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = header.textContent;
      header.replaceChildren(button);
      button.addEventListener("click", () => {
        const down = header.getAttribute("aria-sort") === "ascending";
        headers.forEach((other) => other.removeAttribute("aria-sort"));
        header.setAttribute("aria-sort", down ? "descending" : "ascending");
        const keyed = [...table.tBodies[0].rows].map((row) => {
          const cell = row.cells[column];
          return { row, key: cell.dataset.sort ?? cell.textContent };
        });
        const numeric = keyed.every(({ key }) => key === "" || !Number.isNaN(Number(key)));
        keyed.sort((a, b) => {
          if (a.key === "" || b.key === "") return (a.key === "") - (b.key === "");
          const order = numeric ? Number(a.key) - Number(b.key) : a.key.localeCompare(b.key);
          return down ? -order : order;
        });
        table.tBodies[0].append(...keyed.map(({ row }) => row));
      });
    });
  }

  const figures = document.getElementById("figures");
  if (figures === null || typeof Plotly === "undefined") return;
  const specs = JSON.parse(figures.textContent);

  const themed = (layout, ink, line) => {
    const axes = {};
    for (const name of ["xaxis", "yaxis", "yaxis2"]) {
      if (layout[name] || name !== "yaxis2") {
        axes[name] = { gridcolor: line, linecolor: line, zerolinecolor: line, ...layout[name] };
      }
    }
    return {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: ink, size: 12 },
      margin: { l: 64, r: 24, t: 16, b: 56 }, height: 340, hovermode: "closest", autosize: true,
      legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 }, ...layout, ...axes,
    };
  };
  const draw = (ink, line) => {
    for (const [name, spec] of Object.entries(specs)) {
      Plotly.react(name, spec.data, themed(spec.layout, ink, line), { responsive: true, displayModeBar: false });
    }
  };
  const redraw = () => draw(color("--ink"), color("--line"));
  redraw();
  media.addEventListener("change", redraw);
  window.addEventListener("beforeprint", () => draw("#000", "#ccc"));
  window.addEventListener("afterprint", redraw);
})();
