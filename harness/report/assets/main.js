// From the address to what is shown, and back.
const showFilter = makeFilter(change);
const showMatrix = makeMatrix((name, requirement) => {
  change({ ...readAddress(), case: name, requirement: requirement || readAddress().requirement, result: "" }, true);
  visit("results");
});
const showResults = makeResults((result) => writeAddress({ ...readAddress(), result }, false));
let before = null;

function show() {
  const state = readAddress();
  const shown = chosen(state);
  showFilter(state, shown);
  const filters = JSON.stringify({ ...state, result: "" });
  if (filters !== before) showMatrix(shown);
  const linked = showResults(shown, state);
  // What lies further down may come a moment later.
  const rest = () => {
    if (filters !== JSON.stringify({ ...readAddress(), result: "" })) return;
    showErrors(shown);
    showTimes(shown);
  };
  if (filters !== before) setTimeout(rest, 0);
  if (before === null && linked) linked.scrollIntoView();
  before = filters;
}

function change(state, step) {
  writeAddress(state, step);
  show();
}

function visit(id) {
  const target = find(id);
  target.scrollIntoView();
  target.focus({ preventScroll: true });
}

addEventListener("popstate", show);
addEventListener("hashchange", () => before !== JSON.stringify({ ...readAddress(), result: "" }) && show());
// Links within the page must not throw away the filter that stands in the address.
document.addEventListener("click", (event) => {
  const link = event.target.closest('a[href^="#"]');
  if (!link) return;
  event.preventDefault();
  visit(link.getAttribute("href").slice(1));
});
show();
document.documentElement.dataset.ready = "yes";
