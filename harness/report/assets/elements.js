// Elements are made, never parsed: text from the certificate is set as text, so it cannot become markup.
const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}

const make = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const draw = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);
const find = (id) => document.getElementById(id);

// JSON has no NaN and no infinities; a certificate writes them as words.
const number = (value) => (value === null || value === undefined ? null : Number(value));

function amount(value, unit) {
  const known = number(value);
  if (known === null) return "–";
  if (!Number.isFinite(known)) return Number.isNaN(known) ? "no number" : "infinite";
  const text = known !== 0 && (Math.abs(known) >= 1e5 || Math.abs(known) < 1e-3) ? known.toExponential(2) : String(+known.toPrecision(3));
  return unit ? `${text} ${unit}` : text;
}

const seconds = (value) => (value >= 120 ? `${(value / 60).toFixed(1)} min` : value >= 1 ? `${value.toFixed(2)} s` : `${(value * 1000).toFixed(1)} ms`);
const many = (count, one, more) => `${count.toLocaleString("en")} ${count === 1 ? one : more}`;

// The error in units of noise: null where one is unknown, infinite where an error meets no noise.
function noises(error, noise) {
  const one = number(error), two = number(noise);
  if (one === null || two === null) return null;
  if (two === 0) return one === 0 ? 0 : Number.isNaN(one) ? NaN : Infinity;
  return one / two;
}

function inNoise(ratio) {
  if (ratio === null) return "";
  if (Number.isNaN(ratio)) return "no number";
  return Number.isFinite(ratio) ? `${amount(ratio)} × noise` : "where TensorFlow has no noise";
}
