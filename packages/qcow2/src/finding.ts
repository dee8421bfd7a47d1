/** What a rule says of an image: none of our business or hostile, cannot be right, or worth a word. */
export type Verdict = 'refuse' | 'corrupt' | 'warn';

/** What the image is wanted for; decides how a rule is judged. */
export type Policy = 'attach' | 'convert' | 'full' | 'increment' | 'foreign-increment';

/** One broken rule. `at` is a file offset; `value` and `message` are fit to be shown. */
export interface Finding {
  rule: string;
  verdict: Verdict;
  field: string;
  at?: number;
  value: string;
  message: string;
}

/** The image breaks rules that stand in the way; nothing more was read from it. */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly findings: readonly Finding[];
  constructor(findings: readonly Finding[]) {
    super(findings.map((finding) => `${finding.rule}: ${finding.message}`).join('; '));
    this.findings = findings;
  }
}

/** Findings up to `limit`; what comes after is counted in a last one, so that a hostile image cannot fill memory. */
export class Findings {
  readonly #kept: Finding[] = [];
  readonly #limit: number;
  #more = 0;

  constructor(limit = 100) {
    this.#limit = limit;
  }

  add(finding: Finding): void {
    if (this.#kept.length < this.#limit) this.#kept.push(finding);
    else this.#more++;
  }

  list(): Finding[] {
    const last = this.#kept.at(-1);
    if (last === undefined || this.#more === 0) return [...this.#kept];
    return [...this.#kept, { ...last, value: String(this.#more), message: `and ${this.#more} more findings` }];
  }
}
