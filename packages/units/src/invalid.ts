/** A value said wrong: the message is the rule. The person's room turns it into exit 2. */
export class Invalid extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'Invalid';
  }
}
