const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

const lengthByLead = (lead: number): number => (lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4);

const hex = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('');

function pieceAt(bytes: Uint8Array, at: number): { text: string; length: number } {
  const length = lengthByLead(bytes[at] as number);
  const part = bytes.subarray(at, at + length);
  try {
    const text = strict.decode(part);
    return { text: HIDDEN.test(text) ? hex(part) : text, length };
  } catch {
    return { text: hex(bytes.subarray(at, at + 1)), length: 1 };
  }
}

/**
 * Text found inside an image, fit to be shown: control, format and invalid UTF-8 bytes become `\xNN`,
 * and at most `max` characters are kept (the last of them `…` when something was left out).
 */
export function escapeText(image: Uint8Array | string, max = 200): string {
  const bytes = typeof image === 'string' ? new TextEncoder().encode(image) : image;
  let shown = '';
  for (let at = 0; at < bytes.length; ) {
    const piece = pieceAt(bytes, at);
    const room = at + piece.length < bytes.length ? max - 1 : max;
    if (shown.length + piece.text.length > room) return `${shown}…`;
    shown += piece.text;
    at += piece.length;
  }
  return shown;
}
