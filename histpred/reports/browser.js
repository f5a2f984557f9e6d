const view = JSON.parse(document.getElementById("data").textContent);
const element = document.getElementById("browser");

// Towards white, not transparent: shades of overlapping windows must not add up.
const shade = (colour, share) => `rgb(${colour.map(part =>
  Math.round(255 - (255 - part) * (view.palest + (1 - view.palest) * share))).join(",")})`;

function track(name) {
  const number = view.marks.findIndex(mark => mark.name === name);
  const colour = view.marks[number].colour;
  const features = view.windows.map(([chr, start, end, window, strand, probabilities]) =>
    ({ chr, start, end, name: window, strand, value: probabilities[number], probability: probabilities[number] }));
  if (view.signal)
    return { name, type: "wig", features, color: `rgb(${colour.join(",")})`, min: 0, max: 1, height: 40 };
  return { name, type: "annotation", features, displayMode: "COLLAPSED", height: 22, labelDisplayMode: "HIDE",
    color: feature => shade(colour, feature.value), searchable: false };
}

function around([contig, start, end]) {
  const beside = Math.max(4000, (end - start) * 2);
  return `${contig}:${Math.max(1, start + 1 - beside)}-${Math.min(view.contigs[contig], end + beside)}`;
}

const rows = [...document.querySelectorAll("#top-table tbody tr")].slice(0, view.loci);
if (rows.length) {
  const sizes = Object.entries(view.contigs).map(([contig, length]) => `${contig}\t${length}\n`).join("");
  const windows = { name: "windows", type: "annotation", displayMode: "EXPANDED", height: 80, color: "#444",
    features: view.windows.map(([chr, start, end, name, strand]) => ({ chr, start, end, name, strand })) };
  igv.createBrowser(element, {
    reference: { id: "genome", name: "genome", format: "chromsizes", fastaURL: new File([sizes], "chrom.sizes"), wholeGenomeView: false },
    locus: around(JSON.parse(rows[0].dataset.place)),
    loadDefaultGenomes: false, search: false, showIdeogram: false, showChromosomeWidget: false,
    showSVGButton: false, showCenterGuideButton: false, showCursorTrackingGuideButton: false,
    tracks: [...(view.signal ? [] : [windows]), ...view.order.map(track)],
  }).then(browser => {
    // igv.js would read a name as HTML.
    browser.on("trackclick", (_, fields) => {
      const popup = document.createElement("div");
      for (const { name, value } of fields)
        if (name) popup.appendChild(document.createElement("div")).textContent = `${name}\u00a0 ${value}`;
      return popup.innerHTML || false;
    });
    const button = (text, place) => {
      const made = document.createElement("button");
      made.textContent = text;
      made.addEventListener("click", () => {
        browser.search(around(place));
        document.getElementById("view").scrollIntoView();
      });
      return made;
    };
    for (const row of rows) {
      const place = JSON.parse(row.dataset.place);
      const cell = row.querySelector("td.place");
      if (row.cells[1].textContent === "1") {
        const best = button(`best of ${row.cells[0].textContent}`, place);
        best.title = cell.textContent;
        document.getElementById("buttons").append(best);
      }
      const link = button(cell.textContent, place);
      link.className = "link";
      cell.replaceChildren(link);
    }
    element.dataset.ready = "yes";
  }).catch(error => { element.textContent = `The browser could not be drawn: ${error.message ?? error}`; });
} else {
  element.textContent = "No window is called: there is no locus to show.";
}
