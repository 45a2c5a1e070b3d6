// What is shown stands in the address behind #, so that it can be sent, reloaded, and gone back to.
const KEYS = ["q", "requirement", "stage", "family", "outcome", "case", "result"];

function readAddress() {
  const state = {};
  let parameters;
  try {
    parameters = new URLSearchParams(location.hash.slice(1));
  } catch {
    parameters = new URLSearchParams();
  }
  for (const key of KEYS) state[key] = parameters.get(key) || "";
  return state;
}

function writeAddress(state, step) {
  const parameters = new URLSearchParams();
  for (const key of KEYS) if (state[key]) parameters.set(key, state[key]);
  const hash = `#${parameters}`;
  if (hash === (location.hash || "#")) return;
  // Typing must not fill the history with half-written words.
  if (step) history.pushState(null, "", hash);
  else history.replaceState(null, "", hash);
}
