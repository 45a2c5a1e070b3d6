// One image with TensorFlow's and the IR's detections side by side, and what is not the same in both.
// Line styles tell the sides apart as well as colours do: TensorFlow's are solid, the IR's dashed.
// So many findings of one picture are in sight and bold on it; the others are one step away.
const IN_SIGHT = 3;

const finite = (box) => box && box.length === 4 && box.every((side) => Number.isFinite(Number(side)));

function boxShape(picture, box, kind) {
  const [top, left, bottom, right] = box.map(Number);
  return draw("rect", {
    class: kind, x: Math.min(left, right) * picture.width, y: Math.min(top, bottom) * picture.height,
    width: Math.abs(right - left) * picture.width, height: Math.abs(bottom - top) * picture.height,
  });
}

// The cells of a grid for which a rule holds, as one path in runs along the rows, laid into a box.
function cellsShape(picture, box, rule, kind) {
  const [rows, columns] = picture.mask_shape, [top, left, bottom, right] = box.map(Number);
  let path = "";
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1) {
      if (!rule(row * columns + column)) continue;
      const start = column;
      while (column + 1 < columns && rule(row * columns + column + 1)) column += 1;
      path += `M${start} ${row}h${column - start + 1}v1h${start - column - 1}z`;
    }
  }
  const scale = `translate(${left * picture.width} ${top * picture.height}) scale(${((right - left) * picture.width) / columns} ${((bottom - top) * picture.height) / rows})`;
  return path ? draw("path", { class: kind, d: path, transform: scale }) : null;
}

const inside = (mask) => (cell) => parseInt(mask[cell], 16) > 7;

function tag(picture, box, text) {
  const [top, left] = box.map(Number);
  const scale = Math.max(picture.width, picture.height) / 320;
  const x = Math.max(2, Math.min(left * picture.width + 2, picture.width - 30 * scale));
  const y = Math.max(13 * scale, Math.min(top * picture.height + 13 * scale, picture.height - 3));
  const label = draw("text", { class: "tag", x, y }, text);
  label.style.fontSize = `${13 * scale}px`;
  return label;
}

function panel(picture, title, shapes, faded) {
  const uri = data.images[picture.pixels];
  const image = uri && uri.startsWith("data:image/") ? draw("image", { href: uri, x: 0, y: 0, width: picture.width, height: picture.height, preserveAspectRatio: "none", class: faded ? "faded" : null }) : null;
  return make("figure", null, make("figcaption", null, title),
    draw("svg", { viewBox: `0 0 ${picture.width} ${picture.height}`, role: "img", "aria-label": title }, image, shapes));
}

function pictureOf(picture, findings) {
  const marked = [new Set(), new Set()];
  for (const finding of findings) (finding.marks || []).forEach((index, side) => index !== null && marked[side].add(index));
  const sides = [
    { name: "TensorFlow", short: "T", kind: "ref", all: picture.reference, marked: marked[0] },
    { name: "IR", short: "IR", kind: "obs", all: picture.observed, marked: marked[1] },
  ];
  sides.forEach((side, number) => {
    side.paired = new Set(picture.pairs.map((pair) => pair[number]));
    side.byIndex = new Map(side.all.map((one) => [one.index, one]));
  });
  const apart = picture.pairs.filter(([one, two]) => {
    const first = sides[0].byIndex.get(one), second = sides[1].byIndex.get(two);
    return first.box.some((side, place) => !(Math.abs(side - second.box[place]) <= 0.004));
  });
  for (const [number, side] of sides.entries()) {
    const named = picture.pairs.filter(([one, two]) => marked[0].has(one) || marked[1].has(two));
    side.differing = new Set([...side.marked, ...named.map((pair) => pair[number]), ...apart.map((pair) => pair[number])]);
    for (const one of side.all) if (!side.paired.has(one.index)) side.differing.add(one.index);
  }
  const spots = (name) => findings.filter((one) => one.spot && finite(one.spot[name])).slice(0, 8).map((one) => boxShape(picture, one.spot[name], "spot"));
  // Only the findings in sight are named and bold: where all is wrong, all in bold would show nothing.
  const bold = [new Set(), new Set()];
  for (const finding of findings.slice(0, IN_SIGHT)) (finding.marks || []).forEach((index, side) => index !== null && bold[side].add(index));
  const quieter = (shape, one) => {
    shape.style.opacity = String(0.3 + 0.6 * Math.min(1, Math.max(0, Number(one.score) || 0)));
    return shape;
  };
  const drawn = (side, only) => side.all.filter((one) => finite(one.box) && (!only || side.differing.has(one.index))).flatMap((one) => {
    const strong = bold[side.kind === "ref" ? 0 : 1].has(one.index);
    const box = boxShape(picture, one.box, `box ${side.kind}${strong ? " marked" : ""}`);
    return [
      one.mask && picture.mask_shape.length === 2 && !only ? cellsShape(picture, one.box, inside(one.mask), `mask ${side.kind}`) : null,
      strong ? box : quieter(box, one),
      strong ? tag(picture, one.box, `${side.short}${one.index}`) : null,
    ];
  });
  const masks = picture.mask_shape.length === 2 ? picture.pairs.map(([one, two]) => {
    const first = sides[0].byIndex.get(one), second = sides[1].byIndex.get(two);
    if (!first.mask || !second.mask || !finite(first.box)) return null;
    const here = inside(first.mask), there = inside(second.mask);
    return cellsShape(picture, first.box, (cell) => here(cell) !== there(cell), "mask differs");
  }) : [];
  const difference = [masks, drawn(sides[0], true), drawn(sides[1], true), spots("reference"), spots("observed")].flat();
  const nothing = !difference.some(Boolean);
  const counted = sides.map((side) => side.all.filter((one) => !side.paired.has(one.index)).length);
  const words = nothing ? "no box differs by what an eye could see" : `${counted[0]} of TensorFlow's and ${counted[1]} of the IR's without a counterpart, ${apart.length} moved${masks.some(Boolean) ? `, ${many(masks.filter(Boolean).length, "mask differs", "masks differ")}` : ""}`;
  const rows = sides.flatMap((side) => side.all.filter((one) => side.differing.has(one.index)).map((one) =>
    make("tr", null, make("th", { scope: "row" }, `${side.short}${one.index}`), make("td", { "data-name": "side" }, side.name),
      make("td", { "data-name": "class", class: "number" }, String(one.label)), make("td", { "data-name": "score", class: "number" }, amount(one.score)),
      make("td", { "data-name": "ymin, xmin, ymax, xmax" }, one.box.map((place) => amount(place)).join(", ")))));
  const asked = picture.view === "as converted" ? "" : `, asked ${picture.view}`;
  return make("figure", { class: "picture" },
    make("figcaption", null, `Scene ${picture.scene}, image ${picture.image}${asked}: `,
      make("span", { class: "key" }), "TensorFlow", make("span", { class: "key obs" }), "IR",
      masks.some(Boolean) ? [make("span", { class: "key differs" }), "mask in one of them only"] : null,
      spots("reference").length ? [make("span", { class: "key spot-key" }), "the anchor in question"] : null,
      picture.left_out ? ` (${many(picture.left_out, "less sure detection", "less sure detections")} not drawn)` : null),
    make("div", { class: "panels" },
      panel(picture, `TensorFlow: ${many(picture.reference.length, "detection", "detections")}`, [drawn(sides[0]), spots("reference")].flat().filter(Boolean)),
      panel(picture, `IR: ${many(picture.observed.length, "detection", "detections")}`, [drawn(sides[1]), spots("observed")].flat().filter(Boolean)),
      panel(picture, `Difference: ${words}`, difference.filter(Boolean), true)),
    rows.length ? make("details", null, make("summary", null, "The detections that differ, in numbers"),
      make("div", { class: "inside" }, make("table", { class: "stack" },
        make("thead", null, make("tr", null, ["detection", "side", "class", "score", "ymin, xmin, ymax, xmax"].map((name) => make("th", { scope: "col" }, name)))),
        make("tbody", null, rows)))) : null);
}
