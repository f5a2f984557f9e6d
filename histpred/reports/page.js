for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.querySelectorAll("thead th")];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const body = table.tBodies[0];
      const value = row => row.cells[column].dataset.value ?? row.cells[column].textContent;
      const numbers = [...body.rows].every(row => row.cells[column].dataset.value !== undefined);
      const next = { ascending: "descending", descending: "ascending" };
      const order = next[head.ariaSort] ?? (numbers ? "descending" : "ascending");
      heads.forEach(other => { other.ariaSort = null; });
      head.ariaSort = order;
      const sign = order === "ascending" ? 1 : -1;
      const rows = [...body.rows].sort((a, b) =>
        sign * (numbers ? value(a) - value(b) : value(a).localeCompare(value(b), "en", { numeric: true })));
      body.append(...rows);
    });
  });
}
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch { // a page from disk may not be let in
    const box = document.createElement("textarea");
    box.value = text;
    document.body.append(box);
    box.select();
    document.execCommand("copy");
    box.remove();
  }
}
for (const table of document.querySelectorAll("table")) {
  if (!table.caption) continue;
  const button = document.createElement("button");
  button.className = "link no-print";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    const rows = [...table.rows].filter(row => !row.hidden);
    const text = cell => cell.textContent.trim().replace(/\s+/g, " ");
    await copy(rows.map(row => [...row.cells].map(text).join("\t")).join("\n") + "\n");
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  table.caption.append(" ", button);
}
for (const input of document.querySelectorAll("input[data-for]")) {
  const rows = document.getElementById(input.dataset.for).tBodies[0].rows;
  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/);
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every(word => text.includes(word));
    }
  });
}
