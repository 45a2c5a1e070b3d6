// Errors in units of noise by stage, and times by case. Every plot has its numbers in words as well.
const BINS = 30, LOW = -3, HIGH = 7;

function quantile(sorted, share) {
  return sorted.length ? sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] : 0;
}

function histogram(stage, rows) {
  const bins = Array.from({ length: BINS + 2 }, () => [0, 0]);
  for (const { ratio, bad } of rows) {
    const place = ratio === 0 ? 0 : Number.isFinite(ratio) ? 1 + Math.max(0, Math.min(BINS - 1, Math.floor(((Math.log10(ratio) - LOW) / (HIGH - LOW)) * BINS))) : BINS + 1;
    bins[place][bad ? 1 : 0] += 1;
  }
  const sorted = rows.map((one) => one.ratio).filter(Number.isFinite).sort((one, two) => one - two);
  const most = Math.max(...bins.map(([good, bad]) => good + bad));
  const wide = 400, tall = 110, base = 88, step = wide / (BINS + 2);
  // Roots keep one failure among ten thousand passes visible.
  const scale = (count) => (count ? Math.max(3, (Math.sqrt(count) / Math.sqrt(most)) * (base - 12)) : 0);
  const shapes = bins.flatMap(([good, bad], place) => {
    const whole = scale(good + bad), share = good + bad ? (whole * bad) / (good + bad) : 0, failed = bad ? Math.max(3, share) : 0;
    return [
      good ? draw("rect", { class: "bar-passed", x: place * step + 1, y: base - whole, width: step - 2, height: Math.max(0, whole - failed) }) : null,
      bad ? draw("rect", { class: "bar-failed", x: place * step + 1, y: base - failed, width: step - 2, height: failed }) : null,
    ];
  });
  const at = (power) => step * (1 + ((power - LOW) / (HIGH - LOW)) * BINS);
  const ticks = [-2, 0, 2, 4, 6].flatMap((power) => [
    draw("line", { class: "axis", x1: at(power), x2: at(power), y1: power === 0 ? 4 : base, y2: base + 4 }),
    draw("text", { class: "axis-text", x: at(power), y: base + 17, "text-anchor": "middle" }, (10 ** power).toLocaleString("en", { maximumFractionDigits: 4 })),
  ]);
  const bad = rows.filter((one) => one.bad).length, odd = rows.length - sorted.length;
  const words = `${many(rows.length, "result", "results")}, ${bad} failed; median ${amount(quantile(sorted, 0.5))}, 90% below ${amount(quantile(sorted, 0.9))}, worst ${amount(sorted[sorted.length - 1] ?? 0)} × noise${odd ? `, ${odd} beyond all noise` : ""}`;
  return make("figure", null, make("figcaption", null, make("strong", null, stage), ` ${words}`),
    draw("svg", { viewBox: `0 0 ${wide} ${tall}`, role: "img", "aria-label": `Errors at stage ${stage}: ${words}` },
      draw("line", { class: "axis", x1: 0, x2: wide, y1: base, y2: base }), shapes.filter(Boolean), ticks,
      draw("text", { class: "axis-text", x: 0, y: base + 17 }, "0"),
      draw("text", { class: "axis-text", x: wide, y: base + 17, "text-anchor": "end" }, "∞")));
}

function showErrors(shown) {
  const byStage = new Map(data.stages.map((stage) => [stage, []]));
  for (const result of shown) {
    const ratio = ratioOf(result);
    if (ratio !== null) byStage.get(data.stages[results.stage[result]]).push({ ratio, bad: results.outcome[result] < 2 });
  }
  const plots = [...byStage].filter(([, rows]) => rows.length).map(([stage, rows]) => histogram(stage, rows));
  find("histograms").replaceChildren(plots.length
    ? make("div", null, make("p", { class: "quiet" }, "Solid bars passed, dashed ones at their foot failed; heights grow with the square root of the count; the tall line is TensorFlow's own noise."), make("div", { class: "plots" }, plots))
    : make("p", { class: "quiet" }, "No result shown has both an error and a noise."));
}

// One table of times: the middle of each case as a tick, the span from the 10th to the 90th of a hundred behind it.
function times(title, rows) {
  rows.sort((one, two) => two.middle - one.middle);
  const most = Math.max(...rows.map((one) => one.high)), FIRST = 15;
  const line = ({ name, low, middle, high, count }) => {
    const at = (value) => (value / most) * 98;
    const words = count > 1 ? `${seconds(middle)} (${seconds(low)} to ${seconds(high)}, ${count} runs)` : seconds(middle);
    return make("tr", null, make("th", { scope: "row" }, name),
      make("td", null, draw("svg", { class: "track", viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" },
        draw("rect", { class: "span", x: at(count > 1 ? low : 0), y: 2, width: Math.max(0.5, at(high) - at(count > 1 ? low : 0)), height: 6 }),
        draw("rect", { class: "middle", x: at(middle), y: 0, width: 0.8, height: 10 }))),
      make("td", { class: "number" }, words));
  };
  const body = make("tbody", null, rows.slice(0, FIRST).map(line));
  const more = make("button", { type: "button", hidden: rows.length <= FIRST }, `Show all ${rows.length}`);
  more.addEventListener("click", () => {
    body.append(...rows.slice(FIRST).map(line));
    more.hidden = true;
  });
  return [make("h3", null, title), make("table", { class: "stack" }, make("thead", null, make("tr", null, ["case", "time", "middle"].map((name) => make("th", { scope: "col" }, name)))), body), more];
}

function showTimes(shown) {
  const cases = [...new Set(shown.map((result) => results.case[result]))].map((key) => data.cases[key]);
  const measured = cases.filter((one) => one.latency && one.latency.samples.length).map((one) => {
    const sorted = one.latency.samples.map(Number).sort((first, second) => first - second);
    return { name: one.name, low: quantile(sorted, 0.1), middle: quantile(sorted, 0.5), high: quantile(sorted, 0.9), count: sorted.length };
  });
  const converted = cases.filter((one) => Number.isFinite(one.conversion_duration_s)).map((one) => {
    const time = one.conversion_duration_s;
    return { name: one.name, low: time, middle: time, high: time, count: 1 };
  });
  find("bars").replaceChildren(
    ...(measured.length ? times("Latency of one inference", measured) : [make("p", { class: "quiet" }, "No latencies were measured in this run.")]),
    ...(converted.length ? times("Conversion", converted) : []));
}
