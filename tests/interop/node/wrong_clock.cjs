// Loaded before a script (node --require): the machine's clock is wrong by KVS_CLOCK_OFFSET milliseconds.
"use strict";

const offset = Number(process.env.KVS_CLOCK_OFFSET);
const RealDate = Date;

globalThis.Date = class Date extends RealDate {
  constructor(...given) {
    if (given.length) super(...given);
    else super(RealDate.now() + offset);
  }

  static now() {
    return RealDate.now() + offset;
  }
};
