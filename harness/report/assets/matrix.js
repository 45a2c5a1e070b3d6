// Cases by requirements: only the rows in view exist, so a thousand cases scroll like ten.
function makeMatrix(choose) {
  const place = find("grid");
  const BEYOND = 8;
  let rows = [], columns = [], cells = [], at = { row: 0, column: 0 }, range = "", height = 32, table = null, body = null;

  function gather(shown) {
    const used = new Set(), byCase = new Map();
    for (const result of shown) {
      const key = results.case[result];
      let row = byCase.get(key);
      if (!row) byCase.set(key, (row = { case: key, cells: new Map(), worst: 9 }));
      row.worst = Math.min(row.worst, results.outcome[result]);
      for (const requirement of data.sets[results.set[result]]) {
        used.add(requirement);
        const cell = row.cells.get(requirement);
        // Results come with the worst outcomes first.
        if (cell) cell.count += 1;
        else row.cells.set(requirement, { outcome: results.outcome[result], count: 1 });
      }
    }
    columns = [...used].sort((one, two) => one - two);
    rows = [...byCase.values()].sort((one, two) => one.case - two.case);
  }

  function head() {
    const areas = [];
    for (const column of columns) {
      const area = data.requirements[column].area;
      if (areas.length && areas[areas.length - 1].area === area) areas[areas.length - 1].span += 1;
      else areas.push({ area, span: 1 });
    }
    return make("thead", null,
      make("tr", { "aria-rowindex": 1 }, make("th", { scope: "col", rowspan: 2 }, "case"),
        areas.map((one) => make("th", { scope: "colgroup", colspan: one.span, title: data.areas[one.area] }, one.area))),
      make("tr", { "aria-rowindex": 2 }, columns.map((column) => {
        const { id, text } = data.requirements[column];
        return make("th", { scope: "col", title: `${id} ${text}`, "aria-label": id }, id.split("-").pop());
      })));
  }

  function row(index) {
    const { case: key, cells: found } = rows[index];
    const name = data.cases[key].name;
    const head = make("th", { scope: "row", tabindex: -1, "data-row": index, "data-column": 0, title: name }, name || "(no case)");
    return make("tr", { "aria-rowindex": index + 3 }, head, columns.map((column, number) => {
      const cell = found.get(column), id = data.requirements[column].id;
      const base = { tabindex: -1, "data-row": index, "data-column": number + 1 };
      if (!cell) return make("td", { ...base, "aria-label": `${id}: not covered` });
      const outcome = data.outcomes[cell.outcome];
      const label = `${id}: ${outcome.word}, ${many(cell.count, "result", "results")}`;
      return make("td", { ...base, class: outcome.id, "data-outcome": outcome.id, "aria-label": label, title: `${name} ${label}` }, outcome.sign);
    }));
  }

  function window_() {
    if (!table) return;
    const first = Math.max(0, Math.floor(place.scrollTop / height) - BEYOND);
    const last = Math.min(rows.length, Math.ceil((place.scrollTop + place.clientHeight) / height) + BEYOND);
    if (range === `${first}-${last}`) return;
    range = `${first}-${last}`;
    const focused = place.contains(document.activeElement) && document.activeElement !== place;
    const gap = (count) => {
      const cell = make("td", { colspan: columns.length + 1 });
      cell.style.height = `${count * height}px`;
      return make("tr", { class: "gap", "aria-hidden": "true" }, cell);
    };
    const made = [];
    for (let index = first; index < last; index += 1) made.push(row(index));
    body.replaceChildren(...(first ? [gap(first)] : []), ...made, ...(last < rows.length ? [gap(rows.length - last)] : []));
    const active = cellAt();
    if (active) active.tabIndex = 0;
    else if (body.querySelector("[data-row]")) body.querySelector("[data-row]").tabIndex = 0;
    if (focused && active) active.focus({ preventScroll: true });
  }

  const cellAt = () => body && body.querySelector(`[data-row="${at.row}"][data-column="${at.column}"]`);

  function move(row, column) {
    const before = body.querySelector('[tabindex="0"]');
    at = { row: Math.max(0, Math.min(rows.length - 1, row)), column: Math.max(0, Math.min(columns.length, column)) };
    const top = at.row * height, header = table.tHead.offsetHeight;
    if (top < place.scrollTop) place.scrollTop = top;
    else if (top + height + header > place.scrollTop + place.clientHeight) place.scrollTop = top + height + header - place.clientHeight;
    window_();
    if (before) before.tabIndex = -1;
    const cell = cellAt();
    cell.tabIndex = 0;
    cell.focus({ preventScroll: true });
    if (at.column) {
      const left = cell.offsetLeft - table.tBodies[0].querySelector("th").offsetWidth;
      if (left < place.scrollLeft) place.scrollLeft = left;
      else if (cell.offsetLeft + cell.offsetWidth > place.scrollLeft + place.clientWidth) place.scrollLeft = cell.offsetLeft + cell.offsetWidth - place.clientWidth;
    }
  }

  function activate(cell) {
    const row = rows[Number(cell.dataset.row)], column = Number(cell.dataset.column);
    at = { row: Number(cell.dataset.row), column };
    if (column && !cell.dataset.outcome) return;
    choose(data.cases[row.case].name, column ? data.requirements[columns[column - 1]].id : "");
  }

  function keys(event) {
    if (event.altKey || event.metaKey || !event.target.dataset || event.target.dataset.row === undefined) return;
    at = { row: Number(event.target.dataset.row), column: Number(event.target.dataset.column) };
    const page = Math.max(1, Math.floor(place.clientHeight / height) - 3);
    const steps = {
      ArrowUp: [at.row - 1, at.column], ArrowDown: [at.row + 1, at.column],
      ArrowLeft: [at.row, at.column - 1], ArrowRight: [at.row, at.column + 1],
      PageUp: [at.row - page, at.column], PageDown: [at.row + page, at.column],
      Home: [event.ctrlKey ? 0 : at.row, 0], End: [event.ctrlKey ? rows.length - 1 : at.row, columns.length],
    };
    if (event.key === "Enter" || event.key === " ") activate(event.target);
    else if (steps[event.key]) move(...steps[event.key]);
    else return;
    event.preventDefault();
  }

  place.addEventListener("keydown", keys);
  place.addEventListener("click", (event) => {
    const cell = event.target.closest("[data-row]");
    if (cell) activate(cell);
  });
  let asked = false;
  place.addEventListener("scroll", () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      window_();
    });
  }, { passive: true });
  new ResizeObserver(() => window_()).observe(place);

  return (shown) => {
    gather(shown);
    range = "";
    if (!rows.length || !columns.length) {
      table = null;
      place.replaceChildren(make("p", { class: "quiet inside" }, total ? "No result fits the filter." : "No case was checked."));
      return;
    }
    at = { row: Math.min(at.row, rows.length - 1), column: Math.min(at.column, columns.length) };
    body = make("tbody");
    table = make("table", { class: "matrix", role: "grid", "aria-labelledby": "matrix", "aria-readonly": "true", "aria-rowcount": rows.length + 2, "aria-colcount": columns.length + 1 }, head(), body);
    place.replaceChildren(table);
    body.append(row(0));
    height = body.rows[0].getBoundingClientRect().height || 32;
    window_();
  };
}
