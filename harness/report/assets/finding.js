// All that is known of one result: what was found, where, by how much, its pictures, and how to see it again.
const pair = (name, value) => [make("dt", null, name), make("dd", null, value)];

function findingOf(one) {
  const error = one.error === undefined ? null : amount(one.error, one.unit);
  const ratio = one.error === undefined ? "" : inNoise(noises(one.error, one.noise));
  const place = Object.entries(one.where || {}).map(([key, value]) => `${key} ${value}`).join(", ");
  return make("div", { class: "finding" }, make("p", null, one.what),
    make("dl", null,
      place ? pair("Where", place) : null,
      error ? pair("Error", ratio ? `${error} (${ratio})` : error) : null,
      one.tolerance === undefined ? null : pair("Tolerance", amount(one.tolerance, one.unit) + (one.passing_tolerance === undefined ? "" : `; would have passed with ${amount(one.passing_tolerance, one.unit)}`))));
}

// A finding's words, and under all findings of one picture that picture.
function findingsWithPictures(findings) {
  const groups = new Map();
  findings.forEach((one) => {
    const key = one.picture || "none";
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(one);
  });
  return [...groups].flatMap(([key, group]) => [
    ...group.slice(0, IN_SIGHT).map(findingOf),
    group.length > IN_SIGHT ? make("details", null, make("summary", null, `${many(group.length - IN_SIGHT, "more finding", "more findings")} of this kind`), make("div", { class: "inside" }, group.slice(IN_SIGHT).map(findingOf))) : null,
    data.pictures[key] ? pictureOf(data.pictures[key], group) : key !== "none" ? make("p", { class: "quiet" }, "Its picture did not fit into the certificate; the command below shows the same again.") : null,
  ]).filter(Boolean);
}

function commandOf(text) {
  const code = make("code", null, text), told = make("span", { class: "copied", role: "status" });
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Without leave to the clipboard the command is selected, and copied the old way.
      getSelection().selectAllChildren(code);
      if (!document.execCommand("copy")) {
        told.textContent = "selected, press Ctrl+C";
        return;
      }
    }
    told.textContent = "copied";
    setTimeout(() => (told.textContent = ""), 2000);
  };
  return make("div", { class: "command" }, make("pre", { tabindex: 0, "aria-label": "Command that reproduces this" }, code), make("button", { type: "button", onclick: copy }, "Copy command"), told);
}

function caseFacts(one) {
  if (!one.family) return null;
  const ports = (name, found) => found.flatMap((port) => pair(name, `${port.name} ${port.type} ${port.shape}`));
  const ops = one.ir ? Object.entries(one.ir.ops) : [];
  return make("details", null, make("summary", null, `The case ${one.name}`), make("div", { class: "inside" }, make("dl", null,
    pair("Model", [one.family, one.era, one.format, one.origin, ...(one.traits || [])].filter(Boolean).join(", ")),
    one.input_shape ? pair("Input shape asked for", one.input_shape.join(" × ")) : null,
    Object.entries(one.hashes || {}).filter(([, hash]) => hash).flatMap(([name, hash]) => pair(`SHA-256 of ${name}`, make("code", null, hash))),
    one.ir ? [ports("IR input", one.ir.inputs), ports("IR output", one.ir.outputs),
      pair("IR operations", `${ops.reduce((sum, [, count]) => sum + count, 0)}: ${ops.map(([name, count]) => `${name} ${count}`).join(", ")}`)] : null)));
}

function detailsOf(result) {
  const unit = data.strings[results.unit[result]], command = spelled(result, results.reproduce[result]);
  const expected = results.expected[result], findings = findingsOf(result);
  const explained = results.explained[result] || 0;
  return [
    expected ? make("p", { class: "note" }, `Expected: ${expected.reason}${expected.link ? ` (${expected.link})` : ""}`) : null,
    make("dl", null,
      pair("Case", caseName(result) || "(none)"),
      pair("Requirements", requirementsOf(result).join(", ") || "none"),
      pair("Stage", data.stages[results.stage[result]]),
      pair("Compared", results.compared[result].toLocaleString("en") + (explained ? `; ${explained} differences explained by close decisions` : "")),
      results.error[result] === null ? null : pair("Worst error", [amount(results.error[result], unit), inNoise(ratioOf(result))].filter(Boolean).join(", ")),
      results.noise[result] === null ? null : pair("Noise", amount(results.noise[result], unit)),
      results.tolerance[result] === null ? null : pair("Tolerance", amount(results.tolerance[result], unit)),
      results.duration[result] === null ? null : pair("Took", seconds(number(results.duration[result])))),
    (results.notes[result] || []).map((note) => make("p", { class: "quiet" }, spelled(result, note))),
    findings.length ? make("h3", null, many(findings.length, "finding", "findings")) : null,
    findingsWithPictures(findings),
    command ? [make("h3", null, "Reproduce"), commandOf(command)] : null,
    caseFacts(data.cases[results.case[result]]),
  ].flat().filter(Boolean);
}
