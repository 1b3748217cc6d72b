// @ts-check
/** The sum rule, the product rule and Bayes' theorem on a joint table, and on logarithms. */

export class Joint {
  /** @param {Record<string, string[]>} axes @param {number[]} p the last variable fastest */
  constructor(axes, p) {
    this.axes = axes;
    this.names = Object.keys(axes);
    this.p = Float64Array.from(p);
    const sizes = this.names.map((name) => axes[name].length);
    this.strides = sizes.map((_, i) => sizes.slice(i + 1).reduce((a, b) => a * b, 1));
    this.sizes = sizes;
  }

  /** The state of a variable in a cell. @param {number} cell @param {number} axis */
  state(cell, axis) {
    return Math.floor(cell / this.strides[axis]) % this.sizes[axis];
  }

  /** p(name), and with evidence p(name, evidence). @param {string} name @param {[string, string][]} [evidence] */
  marginal(name, evidence = []) {
    const axis = this.names.indexOf(name), out = new Float64Array(this.sizes[axis]);
    const fixed = evidence.map(([n, s]) => /** @type {[number, number]} */ ([this.names.indexOf(n), this.axes[n].indexOf(s)]));
    for (let cell = 0; cell < this.p.length; cell++) {
      if (fixed.every(([a, s]) => this.state(cell, a) === s)) out[this.state(cell, axis)] += this.p[cell];
    }
    return out;
  }
}

/**
 * The belief in `query` under another prior, after each piece of evidence: p'(h | e) ∝ p'(h) p(e | h).
 * @param {Joint} joint @param {string} query @param {number[]} prior @param {[string, string][]} evidence
 * @returns {{posterior: number[], likelihood: number[], evidence: number, bits: number, possible: boolean}[]}
 */
export function beliefs(joint, query, prior, evidence) {
  const before = joint.marginal(query);
  let belief = prior, earlier = before, whole = 1;
  const found = [{ posterior: prior, likelihood: prior.map(() => 1), evidence: 1, bits: 0, possible: true }];
  for (let i = 0; i < evidence.length; i++) {
    const now = joint.marginal(query, evidence.slice(0, i + 1));
    const likelihood = Array.from(now, (p, h) => (earlier[h] > 0 ? p / earlier[h] : NaN));
    const joined = belief.map((p, h) => (p > 0 && Number.isFinite(likelihood[h]) ? p * likelihood[h] : 0));
    const constant = joined.reduce((a, b) => a + b, 0), possible = constant > 0;
    belief = possible ? joined.map((p) => p / constant) : prior.map(() => NaN);
    whole *= constant;
    earlier = now;
    const bits = belief.reduce((sum, p, h) => sum + (p > 0 ? p * Math.log2(p / prior[h]) : 0), 0);
    found.push({ posterior: belief, likelihood, evidence: constant, bits, possible });
  }
  return found;
}

/** Softmax of log probabilities. @param {ArrayLike<number>} log */
export function normalised(log) {
  const values = Array.from(log), top = Math.max(...values), e = values.map((v) => Math.exp(v - top)), sum = e.reduce((a, b) => a + b, 0);
  return e.map((v) => v / sum);
}

/** log p(h | e) ∝ log p(h) + log p(e | h), as probabilities. @param {ArrayLike<number>} logPrior @param {ArrayLike<number>} logLikelihood */
export const posterior = (logPrior, logLikelihood) => normalised(Array.from(logPrior, (p, h) => p + logLikelihood[h]));
