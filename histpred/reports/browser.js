const view = JSON.parse(document.getElementById("data").textContent);
const element = document.getElementById("browser");
const NOT_SCORED = "#b0b4b9";

// On a dark page, marks are as light as in its other pictures. The style inverts the lightness of the browser (class paper).
// Colours that went through the same filter before come out as they were: https://www.w3.org/TR/filter-effects-1/
// #huerotateEquivalent, by 180 degrees.
const dark = matchMedia("(prefers-color-scheme: dark)").matches;
const TURN = [[-0.574, 1.43, 0.144], [0.426, 0.43, 0.144], [0.426, 1.43, -0.856]];
const LIFT = 0.35;
const lifted = colour => colour.map(part => part + (255 - part) * LIFT);
const filtered = colour => dark ? TURN.map(row =>
  Math.max(0, Math.min(255, row.reduce((sum, share, i) => sum + share * (255 - lifted(colour)[i]), 0)))) : colour;

// Towards white, not transparent: shades of overlapping windows must not add up.
const shade = (colour, share) => `rgb(${colour.map(part =>
  Math.round(255 - (255 - part) * (view.palest + (1 - view.palest) * share))).join(",")})`;

function track(name) {
  const number = view.marks.findIndex(mark => mark.name === name);
  const colour = filtered(view.marks[number].colour);
  const features = view.windows.map(([chr, start, end, window, strand, probabilities]) =>
    ({ chr, start, end, name: window, strand, value: probabilities[number], probability: probabilities[number] }));
  if (view.signal)
    return { name, type: "wig", features, color: `rgb(${colour.join(",")})`, min: 0, max: 1, height: 40 };
  return { name, type: "annotation", features, displayMode: "COLLAPSED", height: 22, labelDisplayMode: "HIDE",
    color: feature => shade(colour, feature.value), searchable: false };
}

function annotation() {
  const features = view.features.map(([chr, start, end, name, strand, scored]) =>
    ({ chr, start, end, name, strand, scored: scored ? "yes" : "no" }));
  return { name: view.annotation, type: "annotation", displayMode: "EXPANDED", height: 70, features, searchable: !view.cover,
    color: feature => feature.scored === "yes" ? "#1b4f8a" : NOT_SCORED };
}

function scored() {
  const features = view.windows.map(([chr, start, end, name, strand]) => ({ chr, start, end, name, strand }));
  return { name: "scored windows", type: "annotation", displayMode: "EXPANDED", height: 70, color: "#444", features };
}

// The bases that the page has; all others are blank.
async function basesOf(contig, start, end) {
  const bases = Array(end - start).fill(" ");
  for (const [chr, first, text] of view.bases)
    if (chr === contig)
      for (let i = Math.max(start, first); i < Math.min(end, first + text.length); i++) bases[i - start] = text[i - first];
  return bases.join("");
}

function around([contig, start, end]) {
  const beside = Math.max(4000, (end - start) * 2);
  return `${contig}:${Math.max(1, start + 1 - beside)}-${Math.min(view.contigs[contig], end + beside)}`;
}

// Rows of windows, if there are few, or of the best loci of each mark.
const places = document.querySelectorAll("#window-table tbody tr, #top-table tbody tr");
const rows = [...places].slice(0, view.loci);
if (rows.length) {
  const sizes = Object.entries(view.contigs).map(([contig, length]) => `${contig}\t${length}\n`).join("");
  igv.createBrowser(element, {
    reference: { id: "genome", name: "genome", format: "chromsizes", fastaURL: new File([sizes], "chrom.sizes"), wholeGenomeView: false },
    locus: around(JSON.parse(rows[0].dataset.place)),
    loadDefaultGenomes: false, search: false, showIdeogram: false, showChromosomeWidget: false,
    showSVGButton: false, showCenterGuideButton: false, showCursorTrackingGuideButton: false,
    tracks: [...(view.bases.length ? [{ type: "sequence", name: "sequence" }] : []), annotation(),
      ...(view.cover ? [scored()] : []), ...view.order.map(track)],
  }).then(browser => {
    browser.genome.getSequence = basesOf;
    if (element.clientWidth < 500) {  // a phone: the bar of igv.js does not fit
      const style = document.createElement("style");
      style.textContent = ".igv-logo, .igv-current-genome { display: none !important } .igv-windowsize-panel-container { white-space: nowrap }";
      element.shadowRoot.append(style);
    }
    for (const input of element.shadowRoot.querySelectorAll("input:not([aria-label])"))
      input.ariaLabel = input.placeholder || { range: "Zoom", checkbox: "Select track" }[input.type] || "Value";
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
      const cell = row.querySelector(".place");
      if (row.classList.contains("first")) {
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
