// Runs one request in a fresh context. It keeps its own copies of what it uses, so that the script cannot change its answers.
(function () {
  "use strict";
  const { parse, stringify } = JSON, { apply } = Reflect, { isArray } = Array, { isFinite } = Number;
  const Build = Function, Text = String, Failure = InternalError, Overflow = RangeError, slice = String.prototype.slice;
  const settle = Promise.resolve.bind(Promise), then = Promise.prototype.then, { freeze, create } = Object;
  const TAG = "\u0000number", LIMIT = 1000000, REASON = 300;
  const timers = [];
  let answer = null, answered = false;

  const idle = () => {};
  globalThis.console = { log: idle, info: idle, warn: idle, error: idle, debug: idle, table: idle, trace: idle };
  // Time does not pass for a script: what waits runs once nothing else is due, in the order of its delays.
  globalThis.setTimeout = (run, delay = 0, ...values) => timers.push({ run, delay: +delay || 0, values });
  globalThis.clearTimeout = (number) => { if (timers[number - 1]) timers[number - 1].run = null; };

  const finish = (text) => { if (!answered) { answered = true; answer = text; } };
  const typeOf = (value) => (value === null ? "null" : isArray(value) ? "array" : typeof value);
  const tagged = (_, value) => (typeof value === "number" && !isFinite(value) ? { [TAG]: Text(value) } : value);
  const untagged = (_, value) =>
    value !== null && typeof value === "object" && typeof value[TAG] === "string" ? +value[TAG] : value;

  const describe = (error) => {
    try {
      const object = error !== null && typeof error === "object";
      const message = Text(object && "message" in error ? error.message : error);
      return { name: object ? Text(error.name) : "", message: apply(slice, message, [0, REASON]) };
    } catch {
      return { name: "", message: "something that has no text" };
    }
  };
  const fail = (error) => {
    const limit = error instanceof Failure || (error instanceof Overflow && describe(error).message.startsWith("Maximum call"));
    finish(stringify({ state: limit ? "limit" : "thrown", ...describe(error) }));
  };

  const optional = (value, name, types) => types.includes(typeOf(value[name]));
  const isVerdict = (value) =>
    value !== null && typeof value === "object" && typeof value.pass === "boolean" && typeof value.score === "number" &&
    typeof value.reason === "string" && optional(value, "namedScores", ["undefined", "object", "array", "null"]) &&
    optional(value, "tokensUsed", ["undefined", "object", "array", "null"]) &&
    optional(value, "componentResults", ["undefined", "array"]) &&
    optional(value, "assertion", ["undefined", "object", "array", "null"]) && optional(value, "comment", ["undefined", "string"]);
  const verdict = (value) => {
    const { pass, score, reason, namedScores, namedScoreWeights, componentResults } = value;
    return { pass, score, reason, namedScores, namedScoreWeights, componentResults };
  };

  const succeed = (value, graded) => {
    try {
      const found = graded && isVerdict(value);
      const body = stringify(found ? verdict(value) : value, tagged);
      if (body !== undefined && body.length > LIMIT) {
        finish(stringify({ state: "limit", name: "", message: `it returns more than ${LIMIT} characters` }));
      } else {
        finish(`{"state":"value","type":"${found ? "verdict" : typeOf(value)}"${body === undefined ? "" : `,"value":${body}`}}`);
      }
    } catch (error) {
      fail(error);
    }
  };

  // A file's export as promptfoo takes it: the default export stands for the module, and a named function is looked up in it.
  const exported = (source, name) => {
    const module = { exports: {} };
    new Build("module", "exports", source)(module, module.exports);
    const whole = module.exports?.default ?? module.exports;
    const chosen = name === null ? whole : whole?.[name];
    if (typeof chosen !== "function") {
      throw new TypeError(name === null ? "the file exports no function" : `the file exports no function '${name}'`);
    }
    return chosen;
  };

  const start = (line) => {
    try {
      const request = parse(line), { parameters, body, source, name, graded } = request;
      const values = request.tagged ? parse(line, untagged).values : request.values;
      const run = source === null ? new Build(...parameters, body) : exported(source, name);
      if (request.check) return succeed(null, false);
      const context = values[1];
      if (graded && context !== null && typeof context === "object" && typeof context.provider?.id === "string") {
        const { id } = context.provider;
        context.provider.id = () => id;
      }
      if (source === null && parameters.length > values.length) values.push(freeze(create(null)));
      apply(then, settle(run(...values)), [(value) => succeed(value, graded), fail]);
    } catch (error) {
      fail(error);
    }
  };
  const next = () => {
    let first = null;
    for (const timer of timers) if (timer.run !== null && (first === null || timer.delay < first.delay)) first = timer;
    if (first === null) return false;
    const { run } = first;
    first.run = null;
    for (const timer of timers) timer.delay -= first.delay;
    try {
      run(...first.values);
    } catch (error) {
      fail(error);
    }
    return true;
  };
  return { start, next, answer: () => answer };
})();
