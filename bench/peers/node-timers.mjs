// Node's own timers.
import { serve } from '../lib/timers.mjs';

serve(
  (delay, callback) => setTimeout(callback, delay),
  clearTimeout,
  (finished) => finished,
);
