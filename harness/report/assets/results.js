// The results that fit the filter, the worst first, as many at a time as a person reads; each is filled when opened.
const AT_ONCE = 40;
const OPEN_AT_FIRST = 1;

function makeResults(opened) {
  const place = find("list");
  function entry(result, open) {
    const outcome = outcomeOf(result), ratio = inNoise(ratioOf(result));
    const tags = [requirementsOf(result).join(", "), `stage ${data.stages[results.stage[result]]}`, ratio].filter(Boolean).join(" · ");
    const first = findingsOf(result)[0];
    const body = make("div", { class: "inside" });
    const box = make("details", { "data-result": result }, make("summary", null,
      make("span", { class: outcome.id }, `${outcome.sign} ${outcome.word}`), ` ${checkName(result)}: ${caseName(result) || "(no case)"} `,
      make("span", { class: "tags" }, `· ${tags}`), first ? make("div", { class: "tags" }, first.what.length > 160 ? `${first.what.slice(0, 160)}…` : first.what) : null), body);
    const show = () => body.hasChildNodes() || body.append(...detailsOf(result));
    box.addEventListener("toggle", () => {
      if (box.open) show();
      if (box.dataset.asked) opened(box.open ? String(result) : "");
    });
    // Only what a person opens goes into the address.
    box.querySelector("summary").addEventListener("click", () => (box.dataset.asked = "yes"));
    if (open) {
      show();
      box.open = true;
    }
    return make("li", null, box);
  }
  return (shown, state) => {
    const list = make("ol", { class: "results" });
    const linked = state.result !== "" && Number(state.result) < total ? Number(state.result) : -1;
    const ordered = linked >= 0 ? [linked, ...shown.filter((one) => one !== linked)] : shown;
    let next = 0;
    const more = make("button", { type: "button" });
    const add = () => {
      const from = next;
      next = Math.min(ordered.length, next + AT_ONCE);
      for (let index = from; index < next; index += 1) {
        const bad = results.outcome[ordered[index]] < 2;
        list.append(entry(ordered[index], ordered[index] === linked || (linked < 0 && bad && index < OPEN_AT_FIRST)));
      }
      more.textContent = `Show ${Math.min(AT_ONCE, ordered.length - next)} more of ${ordered.length.toLocaleString("en")}`;
      more.hidden = next >= ordered.length;
      return list.children[from];
    };
    add();
    more.addEventListener("click", () => add().querySelector("summary").focus());
    const bad = shown.some((one) => results.outcome[one] < 2);
    place.replaceChildren(
      ...(ordered.length ? [] : [make("p", { class: "quiet" }, total ? "No result fits the filter." : "None.")]),
      ...(ordered.length && !bad ? [make("p", { class: "quiet" }, "Nothing failed among these.")] : []),
      list, more);
    return linked >= 0 ? list.querySelector("summary") : null;
  };
}
