// Timers of a reactor.   node --expose-gc timers.mjs blocking|attached
import { Reactor } from '@pollux/core';
import { serve } from '../lib/timers.mjs';

const mode = process.argv[2];
const reactor = new Reactor({ mode });

serve(
  (delay, callback) => reactor.timer(delay, callback),
  (timer) => timer.close(),
  async (finished) => {
    if (mode === 'attached') return finished;
    let done = false;
    finished.then(() => {
      done = true;
    });
    while (!done) reactor.turn(0);
  },
);
