// Which results are shown. Words are looked up once in the few names there are, then told by number.
function chosen(state) {
  const words = lower(state.q).split(/\s+/).filter(Boolean).map((word) => ({
    word,
    cases: searchable.cases.map((text) => text.includes(word)),
    checks: searchable.checks.map((text) => text.includes(word)),
    sets: searchable.sets.map((text) => text.includes(word)),
  }));
  const outcomes = state.outcome ? new Set(state.outcome.split(",")) : null;
  const wantedOutcome = data.outcomes.map((one) => !outcomes || outcomes.has(one.id));
  const wantedStage = data.stages.map((name) => !state.stage || name === state.stage);
  const wantedCase = data.cases.map((one) => (!state.case || one.name === state.case) && (!state.family || one.family === state.family));
  const wantedPlace = data.requirements.map((one) => one.id === state.requirement || one.area === state.requirement);
  const wantedSet = data.sets.map((set) => !state.requirement || set.some((place) => wantedPlace[place]));
  const found = [];
  for (let result = 0; result < total; result += 1) {
    if (!wantedOutcome[results.outcome[result]] || !wantedStage[results.stage[result]]) continue;
    if (!wantedCase[results.case[result]] || !wantedSet[results.set[result]]) continue;
    const fits = (one) =>
      one.cases[results.case[result]] || one.checks[results.check[result]] || one.sets[results.set[result]] || findingText(result).includes(one.word);
    if (words.every(fits)) found.push(result);
  }
  return found;
}

function makeFilter(change) {
  const form = find("filter");
  const fields = ["q", "requirement", "stage", "family"].map(find);
  const [search, requirement, stage, family] = fields;
  const options = (select, values) => select.append(...values.map((value) => make("option", { value }, value)));
  for (const [area, title] of Object.entries(data.areas)) {
    const group = make("optgroup", { label: title === area ? area : `${area}: ${title}` });
    group.append(make("option", { value: area }, `${area} (all)`));
    for (const one of data.requirements) if (one.area === area) group.append(make("option", { value: one.id }, one.id));
    requirement.append(group);
  }
  options(stage, data.stages);
  options(family, [...new Set(data.cases.map((one) => one.family).filter(Boolean))].sort());
  const counts = data.outcomes.map(() => 0);
  for (const outcome of results.outcome) counts[outcome] += 1;
  const boxes = data.outcomes.filter((one, place) => counts[place]).map((one) => {
    const box = make("input", { type: "checkbox", value: one.id });
    find("outcome").append(make("label", null, box, make("span", { class: one.id }, `${one.sign} ${one.word}`)));
    return box;
  });
  const read = (before) => {
    const ticked = boxes.filter((box) => box.checked).map((box) => box.value);
    return { ...before, q: search.value.trim(), requirement: requirement.value, stage: stage.value, family: family.value, outcome: ticked.join(","), result: "" };
  };
  let waiting = 0;
  search.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => change(read(readAddress()), false), 120);
  });
  form.addEventListener("change", (event) => event.target !== search && change(read(readAddress()), true));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    change(read(readAddress()), true);
  });
  form.addEventListener("reset", (event) => {
    event.preventDefault();
    change(Object.fromEntries(KEYS.map((key) => [key, ""])), true);
  });
  form.hidden = false;
  return (state, shown) => {
    if (document.activeElement !== search || search.value.trim() !== state.q) search.value = state.q;
    requirement.value = state.requirement;
    stage.value = state.stage;
    family.value = state.family;
    const ticked = new Set(state.outcome.split(","));
    for (const box of boxes) box.checked = ticked.has(box.value);
    const cases = new Set(shown.map((result) => results.case[result])).size;
    find("count").textContent = `${shown.length.toLocaleString("en")} of ${many(total, "result", "results")}, ${many(cases, "case", "cases")}`;
    find("chip").replaceChildren();
    if (state.case) {
      const drop = () => change({ ...readAddress(), case: "", result: "" }, true);
      find("chip").append(make("button", { type: "button", onclick: drop, "aria-label": `No longer only case ${state.case}` }, `case ${state.case} ✕`));
    }
  };
}
