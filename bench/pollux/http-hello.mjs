// examples/http-hello as it is, and an ear for the harness beside it. The example prints its address.
import { answerOnNode } from '../lib/control.mjs';

process.argv[2] = '0'; // any port
answerOnNode(() => 0);
await import('../../examples/dist/http-hello.js');
