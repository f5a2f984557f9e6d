for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.querySelectorAll("thead th")];
  heads.forEach((head, column) => head.addEventListener("click", () => {
    const body = table.tBodies[0];
    const value = row => row.cells[column].dataset.value ?? row.cells[column].textContent;
    const numbers = [...body.rows].every(row => row.cells[column].dataset.value !== undefined);
    const order = { up: "down", down: "up" }[head.dataset.order] ?? (numbers ? "down" : "up");
    heads.forEach(other => delete other.dataset.order);
    head.dataset.order = order;
    const sign = order === "up" ? 1 : -1;
    const rows = [...body.rows].sort((a, b) =>
      sign * (numbers ? value(a) - value(b) : value(a).localeCompare(value(b), "en", { numeric: true })));
    body.append(...rows);
  }));
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
