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
