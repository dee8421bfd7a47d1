import { Invalid } from './invalid.ts';

/** One kind of name: what it is called, what it looks like, and the rule in words. */
export interface NameRule {
  what: string;
  pattern: RegExp;
  max: number;
  rule: string;
}

/** The name itself when it keeps its rule (length in bytes), else Invalid with the rule as message. */
export function checkName(rule: NameRule, text: string): string {
  if (rule.pattern.test(text) && new TextEncoder().encode(text).length <= rule.max) return text;
  throw new Invalid(`${JSON.stringify(text)} is not a ${rule.what}: ${rule.rule}, at most ${rule.max} bytes`);
}

/** RFC 1123 label. */
export const dnsLabel: NameRule = {
  what: 'DNS label',
  pattern: /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/,
  max: 63,
  rule: 'lower-case letters, digits and "-", beginning and ending with a letter or digit',
};

/** RFC 1123 subdomain as Kubernetes takes it for object names. */
export const dnsSubdomain: NameRule = {
  what: 'DNS name',
  pattern: /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/,
  max: 253,
  rule: 'DNS labels joined by "."',
};
