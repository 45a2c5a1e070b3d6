// The certificate, as columns; a result is its number in them.
const data = JSON.parse(find("data").textContent);
const results = data.results;
const total = results.case.length;
const lower = (text) => text.toLowerCase();

const caseName = (result) => data.cases[results.case[result]].name;
const checkName = (result) => data.checks[results.check[result]];
const outcomeOf = (result) => data.outcomes[results.outcome[result]];
const requirementsOf = (result) => data.sets[results.set[result]].map((place) => data.requirements[place].id);
// Texts that hold the case's name are kept once for all cases.
const spelled = (result, string) => data.strings[string].split("\u0001").join(caseName(result));
const findingsOf = (result) => results.findings[result] || [];
const ratioOf = (result) => noises(results.error[result], results.noise[result]);

const searchable = {
  cases: data.cases.map((one) => lower([one.name, one.family, one.era, one.format, ...(one.traits || [])].join(" "))),
  checks: data.checks.map(lower),
  sets: data.sets.map((set) => lower(set.map((place) => data.requirements[place].id).join(" "))),
  findings: new Map(),
};

function findingText(result) {
  let text = searchable.findings.get(result);
  if (text === undefined) {
    text = lower(findingsOf(result).map((one) => one.what).join(" "));
    searchable.findings.set(result, text);
  }
  return text;
}
